/** The list of jobs by HTTP. */
import type {
  CommandArgs,
  CommandName,
  Cursor,
  Filter,
  Link,
  ListTransport,
  Page,
} from "../core/transport";
import type { Changes, Json } from "../core/types";
import type { ChangeFeed } from "./feed";
import type { Http } from "./http";
import { commanded } from "./rest";

export class RestList implements ListTransport {
  constructor(
    private readonly http: Pick<Http, "get" | "post" | "delete">,
    private readonly feed: Pick<ChangeFeed, "subscribe">,
    private readonly onDeleted: (jobId: string) => void = () => {},
  ) {}

  async page(
    filter: Filter,
    before: Cursor | null,
    limit: number,
    attempts = false,
  ): Promise<Page> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (before !== null) query.set("before", String(before));
    if (filter.status) query.set("status", filter.status);
    if (filter.name) query.set("name", filter.name);
    if (filter.tag) query.set("tag", filter.tag);
    if (filter.notebook) query.set("notebook", filter.notebook);
    if (filter.text) query.set("q", filter.text);
    if (filter.order !== "newest") query.set("order", filter.order);
    if (attempts) query.set("attempts", "true");
    return (await this.http.get<Page>(`jobs?${query}`)).value;
  }

  async command(jobId: string, name: CommandName, args?: CommandArgs): Promise<Json> {
    const answer = await commanded(this.http, jobId, name, args, "list");
    if (name === "delete") this.onDeleted(jobId);
    return answer;
  }

  watch(take: (changes: Changes) => void, onLink: (link: Link) => void): () => void {
    return this.feed.subscribe(take, onLink);
  }
}
