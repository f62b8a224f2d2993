const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `4s`, `30m`, `1h`, `7d` → milliseconds (a bare number is seconds); zero and anything else → undefined. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? 0);
  return ms > 0 ? ms : undefined;
}

/** Whole milliseconds → the shortest text that {@link parseDurationMs} reads back as the same value: `24d`. */
export function durationText(ms: number): string {
  const [unit = 'ms', factor = 1] = Object.entries(UNIT_MS).findLast(([, length]) => ms % length === 0) ?? [];
  return `${ms / factor}${unit}`;
}
