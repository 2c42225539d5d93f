/** A canopy and its lines: the sign of the jobs in tabs, menus and tiles. */
import { LabIcon } from "@jupyterlab/ui-components";

export const icon = new LabIcon({
  name: "chutes-nb:icon",
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" ' +
    'viewBox="0 0 24 24"><path class="jp-icon3 jp-icon-selectable" fill="#616161" ' +
    'd="M12 3C6.9 3 3 6.6 3 11h3.2L11 18.2V21h2v-2.8L17.8 11H21c0-4.4-3.9-8-9-8z' +
    'M8.6 11h6.8L12 16.1z"/></svg>',
});
