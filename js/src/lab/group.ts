/** Several jobs by HTTP: one question for all of them, then what the feed tells. */
import type { GroupAnswer, GroupTransport } from "../core/group";
import type { Link } from "../core/transport";
import { type Changes, GROUP_MIME, type GroupDocument } from "../core/types";
import type { ChangeFeed } from "./feed";
import { type Http, NoRoutes } from "./http";

export class RestGroup implements GroupTransport {
  constructor(
    private readonly http: Pick<Http, "post">,
    private readonly feed: Pick<ChangeFeed, "subscribe">,
  ) {}

  async group(ids: string[], of: number | null): Promise<GroupAnswer | null> {
    try {
      const { value, now } = await this.http.post<GroupAnswer["bundle"]>("group", {
        ids,
        of,
      });
      const document = value[GROUP_MIME] as unknown as GroupDocument;
      return { document, bundle: value, now };
    } catch (error) {
      if (error instanceof NoRoutes) return null;
      throw error;
    }
  }

  watch(
    take: (changes: Changes, now: number) => void,
    onLink: (link: Link) => void,
  ): () => void {
    return this.feed.subscribe(take, onLink);
  }
}
