/** The list of jobs by HTTP. */
import type { Cursor, Filter, Link, ListTransport, Page } from "../core/transport";
import type { Changes } from "../core/types";
import type { ChangeFeed } from "./feed";
import type { Http } from "./http";

export class RestList implements ListTransport {
  constructor(
    private readonly http: Pick<Http, "get">,
    private readonly feed: Pick<ChangeFeed, "subscribe">,
  ) {}

  async page(filter: Filter, before: Cursor | null, limit: number): Promise<Page> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (before !== null) query.set("before", String(before));
    if (filter.status) query.set("status", filter.status);
    if (filter.name) query.set("name", filter.name);
    if (filter.text) query.set("q", filter.text);
    return (await this.http.get<Page>(`jobs?${query}`)).value;
  }

  watch(take: (changes: Changes) => void, onLink: (link: Link) => void): () => void {
    return this.feed.subscribe(take, onLink);
  }
}
