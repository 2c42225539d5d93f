/** What the parts of the extension share: the server, its feed, the list of jobs. */
import type { ServerConnection } from "@jupyterlab/services";
import { JobsList } from "../core/list";
import { ChangeFeed } from "./feed";
import { Http } from "./http";
import { RestList } from "./list";
import { RestTransport } from "./rest";
import { RunDoor } from "./run-door";

export class Doors {
  readonly feed: ChangeFeed;
  readonly list: JobsList;
  readonly #http: Http;

  constructor(settings: ServerConnection.ISettings) {
    this.#http = new Http(settings);
    this.feed = new ChangeFeed(this.#http);
    this.list = new JobsList(new RestList(this.#http, this.feed));
  }

  /** A way to run a job with what a form was filled with. */
  runDoor(): RunDoor {
    return new RunDoor(this.#http, this.transport());
  }

  /** A way to the jobs for one card. */
  transport(): RestTransport {
    return new RestTransport(this.#http, this.feed);
  }
}
