/** UTCTimestamp of FIX 4.4 (`20260131-12:00:00.123`), from and to µs since the Unix epoch. */

const STAMP = /^(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d{1,12})?$/;

/** Undefined: it is no UTCTimestamp, or no time. A leap second is the first of the next minute. */
export function utcMicros(text: string): number | undefined {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = ''] = match;
  const days = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const isDay = new Date(days).getUTCDate() === Number(day) && Number(month) >= 1 && Number(month) <= 12;
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  return days * 1000 + seconds * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

export function isUtcTime(text: string): boolean {
  return TIME.test(text);
}

/** With milliseconds. The text is kept for as long as the millisecond lasts: a turn sends many messages. */
export class UtcText {
  #millis = Number.NaN;
  #text = '';

  of(micros: number): string {
    const millis = Math.floor(micros / 1000);
    if (millis === this.#millis) return this.#text;
    this.#millis = millis;
    const iso = new Date(millis).toISOString();
    this.#text = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}-${iso.slice(11, 23)}`;
    return this.#text;
  }
}
