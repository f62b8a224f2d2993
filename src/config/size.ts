const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

/** `1048576`, `64KiB`, `1 MiB` → bytes; anything else → undefined. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)\s*(B|KiB|MiB|GiB|TiB)?$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] ?? 'B'] ?? 1);
}

/** Bytes → the shortest text that {@link parseSize} reads back as the same value: `1MiB`. */
export function sizeText(bytes: number): string {
  const [unit = 'B', factor = 1] =
    Object.entries(UNITS).findLast(([, size]) => bytes % size === 0 && bytes >= size) ?? [];
  return `${bytes / factor}${unit}`;
}
