/** A list of what a notebook kept of the panel, where nobody else knows of jobs. */
import { isBefore, matches } from "./filter";
import type { Filter, ListTransport, Page } from "./transport";
import type { JobsDocument } from "./types";

export function savedList({ jobs, counts }: JobsDocument): ListTransport {
  return {
    page: async (filter: Filter): Promise<Page> => {
      const found = jobs.filter((job) => matches(job, filter));
      found.sort((a, b) => (isBefore(a, b, filter.order) ? -1 : 1));
      return { jobs: found, next: null, counts };
    },
    command: () =>
      Promise.reject(new Error("Nobody answers: this is as it was saved.")),
    watch: (_, onLink) => {
      onLink("saved");
      return () => {};
    },
  };
}
