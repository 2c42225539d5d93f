/** Files into one zip, stored as they are; for pages that no server serves. */

const ENCODER = new TextEncoder();
const IS_UTF8 = 0x0800;
/** Beyond this a zip needs fields that this one has not. */
export const MOST_ZIP_BYTES = 2 ** 31;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** A zip of files; a name that came before gets a number. */
export async function zipped(files: { name: string; body: Blob }[]): Promise<Blob> {
  const parts: (Blob | ArrayBuffer)[] = [];
  const directory: ArrayBuffer[] = [];
  const used = new Set<string>();
  let at = 0;
  for (const { name, body } of files) {
    const title = ENCODER.encode(freeName(name, used));
    const crc = crc32(new Uint8Array(await body.arrayBuffer()));
    const about = [
      IS_UTF8,
      0,
      0x21,
      crc,
      body.size,
      body.size,
      title.length,
      0,
    ] as const;
    const head = fields([[4, 0x04034b50], [2, 20], ...described(about)]);
    parts.push(joinedBytes(head, title), body);
    directory.push(
      joinedBytes(
        fields([
          [4, 0x02014b50],
          [2, 20],
          [2, 20],
          ...described(about),
          [2, 0],
          [2, 0],
          [2, 0],
          [4, 0],
          [4, at],
        ]),
        title,
      ),
    );
    at += head.length + title.length + body.size;
  }
  const size = directory.reduce((sum, one) => sum + one.byteLength, 0);
  const count = files.length;
  const end = fields([
    [4, 0x06054b50],
    [4, 0],
    [2, count],
    [2, count],
    [4, size],
    [4, at],
    [2, 0],
  ]);
  return new Blob([...parts, ...directory, end.buffer], { type: "application/zip" });
}

type Field = [bytes: 2 | 4, value: number];

/** What a file's own head and the directory both say: flags to the lengths of names. */
function described([flags, time, date, crc, packed, size, name, extra]: readonly [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]): Field[] {
  return [
    [2, flags],
    [2, 0],
    [2, time],
    [2, date],
    [4, crc],
    [4, packed],
    [4, size],
    [2, name],
    [2, extra],
  ];
}

function fields(values: Field[]): Uint8Array<ArrayBuffer> {
  const length = values.reduce((sum, [bytes]) => sum + bytes, 0);
  const view = new DataView(new ArrayBuffer(length));
  let at = 0;
  for (const [bytes, value] of values) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

function joinedBytes(a: Uint8Array, b: Uint8Array): ArrayBuffer {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both.buffer;
}

function freeName(name: string, used: Set<string>): string {
  const dot = name.lastIndexOf(".");
  const [root, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  let found = name;
  for (let n = 2; used.has(found.toLowerCase()); n++) found = `${root} (${n})${ending}`;
  used.add(found.toLowerCase());
  return found;
}
