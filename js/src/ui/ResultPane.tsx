/** What a job returned, in the richest way there is; the others can be chosen. */
import { useState } from "preact/hooks";
import type { MimeBundle, Result } from "../core/types";
import type { ViewerProps } from "./viewers/props";
import { offersFor } from "./viewers/registry";

type MoreRows = ViewerProps["moreRows"];

export function ResultPane({
  result,
  moreRows,
}: {
  result: Result;
  moreRows?: MoreRows;
}) {
  // A class that a function made: where it was made says nothing here.
  const type = result.type.replace(/^.*<locals>\./, "");
  const article = /^[aeiou]/i.test(type) ? "an" : "a";
  const note = result.exact
    ? null
    : `Preview of ${article} ${type}; job.result() has it all.`;
  return (
    <div class="chutes-result">
      <BundleView
        bundle={readable(result)}
        empty={`A value of type ${result.type}; job.result() gives it.`}
        note={note}
        moreRows={moreRows}
      />
    </div>
  );
}

/** Words are read as they are, and of what JSON has only words for, the repr says more. */
function readable({ type, view }: Result): MimeBundle {
  const { "application/json": json, ...rest } = view;
  if (typeof json !== "string") return view;
  return type === "str"
    ? { ...rest, "text/plain": json }
    : { "text/plain": json, ...rest };
}

export function BundleView({
  bundle,
  empty,
  note = null,
  moreRows,
}: {
  bundle: MimeBundle;
  /** Said where there is nothing to show. */
  empty: string;
  note?: string | null;
  moreRows?: MoreRows;
}) {
  const [wanted, want] = useState<string | null>(null);
  const offers = offersFor(bundle);
  const shown = offers.find((offer) => offer.mime === wanted) ?? offers[0];
  if (!shown) return <p class="chutes-empty">{empty}</p>;
  return (
    <>
      {offers.length > 1 || note ? (
        <div class="chutes-kinds">
          {offers.length > 1
            ? offers.map((offer) => (
                <button
                  key={offer.mime}
                  type="button"
                  class="chutes-quiet"
                  aria-pressed={offer === shown}
                  onClick={() => want(offer.mime)}
                >
                  {offer.name}
                </button>
              ))
            : null}
          <span class="chutes-grow" />
          {note ? <span class="chutes-soft">{note}</span> : null}
        </div>
      ) : null}
      <shown.Viewer
        mime={shown.mime}
        value={bundle[shown.mime] ?? null}
        moreRows={moreRows}
      />
    </>
  );
}
