/** What the parts of the extension share: the server, its feed, the list of jobs. */
import type { ServerConnection } from "@jupyterlab/services";
import { FollowedGroup } from "../core/group";
import { JobsList } from "../core/list";
import type { Link } from "../core/transport";
import type { GroupDocument, Json, StatusInfo } from "../core/types";
import type { MenuItem } from "../ui/Menu";
import { ChangeFeed } from "./feed";
import { RestGroup } from "./group";
import { Http } from "./http";
import { RestList } from "./list";
import { RestTransport } from "./rest";
import { RunDoor } from "./run-door";

export class Doors {
  readonly feed: ChangeFeed;
  readonly list: JobsList;
  readonly #http: Http;
  /** Every list of this page; the feed says nothing of jobs that were deleted. */
  readonly #lists = new Set<JobsList | FollowedGroup>();

  /** Shows the cell that a job came from; set once the commands are there. */
  jump: (job: StatusInfo) => void = () => {};
  open: (job: StatusInfo) => void = () => {};
  /** Opens the run form of a job, filled in as that one was. */
  run: (job: StatusInfo) => void = () => {};

  constructor(settings: ServerConnection.ISettings) {
    this.#http = new Http(settings);
    this.feed = new ChangeFeed(this.#http);
    this.list = this.newList();
  }

  /** Whether the server answers, once that is known. */
  link(): Promise<Link> {
    return new Promise((resolve) => {
      let stop = () => {};
      const take = (link: Link) => {
        if (link === "opening") return;
        resolve(link);
        queueMicrotask(() => stop());
      };
      stop = this.feed.subscribe(() => {}, take);
    });
  }

  /** What a job is now; null where nobody knows it. */
  async find(jobId: string): Promise<StatusInfo | null> {
    const known = this.list.find(jobId);
    if (known) return known;
    try {
      return (await this.transport().find(jobId)).value.status;
    } catch {
      return null;
    }
  }

  /** What a job was given. */
  async inputs(jobId: string): Promise<Json> {
    return (await this.transport().find(jobId)).value.inputs;
  }

  /** What a card's menu offers in JupyterLab besides. */
  more(job: StatusInfo, isInTab = false): MenuItem[] {
    const items: MenuItem[] = [];
    if (!isInTab) items.push({ label: "Open in a tab", run: () => this.open(job) });
    items.push({ label: "Run with other inputs …", run: () => this.run(job) });
    if (job.notebook || job.cell !== null) {
      items.push({ label: "Jump to its cell", run: () => this.jump(job) });
    }
    return items;
  }

  /** A list of its own: with its own filter and its own place. */
  newList(): JobsList {
    const list = new JobsList(new RestList(this.#http, this.feed, this.#forget));
    this.#lists.add(list);
    return list;
  }

  /** Several jobs that are shown together, followed by the server. */
  newGroup(saved: GroupDocument): FollowedGroup {
    const group = new FollowedGroup(new RestGroup(this.#http, this.feed), saved);
    this.#lists.add(group);
    return group;
  }

  /** Lets go of a list whose place is no more. */
  endList(list: JobsList | FollowedGroup): void {
    this.#lists.delete(list);
  }

  #forget = (jobId: string) => {
    for (const list of this.#lists) list.drop(jobId);
  };

  /** A way to run a job with what a form was filled with. */
  runDoor(): RunDoor {
    return new RunDoor(this.#http, this.transport());
  }

  /** A way to the jobs for one card. */
  transport(): RestTransport {
    return new RestTransport(this.#http, this.feed, this.#forget);
  }
}
