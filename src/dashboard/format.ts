/** Figures as text: grouped digits, a unit, and no more precision than a reader can use. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const TWO_DIGITS = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];
/** Shown for a figure that is not known. */
export const UNKNOWN = '–';

type Maybe = number | null | undefined;

const isKnown = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

/** `12,345`; small averages keep one digit. */
export function count(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  return Number.isInteger(value) || Math.abs(value) >= 100 ? WHOLE.format(value) : ONE_DIGIT.format(value);
}

/** A figure as precise as it came, up to two digits: `12,345`, `0.62`. */
export function figure(value: number): string {
  return TWO_DIGITS.format(value);
}

/** `1.5 MB`, in powers of 1000. */
export function bytes(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 999.5 && unit < BYTE_UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit === 0 || Math.abs(size) >= 100 ? WHOLE.format(size) : ONE_DIGIT.format(size);
  return `${digits} ${BYTE_UNITS[unit]}`;
}

/** `0.42 ms`, `12.5 ms`, `3.40 s`. */
export function milliseconds(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  if (value === 0) return '0 ms';
  if (value >= 999.5) return `${(value / 1000).toFixed(value >= 9_995 ? 1 : 2)} s`;
  if (value >= 99.5) return `${WHOLE.format(value)} ms`;
  return `${value.toFixed(value >= 9.95 ? 1 : 2)} ms`;
}

/** A share of 1 as `42 %`. */
export function percent(value: Maybe): string {
  return isKnown(value) ? `${WHOLE.format(value * 100)} %` : UNKNOWN;
}

/** `3 d 4 h`, `2 h 5 min`, `42 s`. */
export function duration(seconds: Maybe): string {
  if (!isKnown(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** The reader's time of day of an instant: `14:03:21`. */
export function timeOfDay(at: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** How long ago: `just now`, `12 s ago`. */
export function ago(milliseconds: Maybe): string {
  if (!isKnown(milliseconds)) return UNKNOWN;
  return milliseconds < 1000 ? 'just now' : `${duration(milliseconds / 1000)} ago`;
}

/** `1 class`, `2 classes`. */
export function plural(total: number, one: string, many: string): string {
  return `${count(total)} ${total === 1 ? one : many}`;
}
