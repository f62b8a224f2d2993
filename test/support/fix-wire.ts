/** FIX messages in tests: written from fields, and read back. */

/** Fields in order; a group repeats its tags. */
export type Fields = readonly (readonly [tag: number, value: string | number])[];

const SOH = '\x01';

/** A message with the right length and checksum. @param body from `35=` on */
export function framed(body: string, beginString = 'FIX.4.4'): Buffer {
  const text = `8=${beginString}${SOH}9=${Buffer.byteLength(body, 'latin1')}${SOH}${body}`;
  const bytes = Buffer.from(text, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0) % 256;
  return Buffer.concat([bytes, Buffer.from(`10=${String(sum).padStart(3, '0')}${SOH}`, 'latin1')]);
}

export function bodyOf(fields: Fields): string {
  return fields.map(([tag, value]) => `${tag}=${value}${SOH}`).join('');
}

/** Messages in bytes, as readable text: `8=FIX.4.4|9=…|`. */
export function readable(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').replaceAll(SOH, '|');
}

/** One message's fields. */
export function fieldsOf(message: string): [tag: number, value: string][] {
  return message
    .split('|')
    .slice(0, -1)
    .map(field => {
      const at = field.indexOf('=');
      return [Number(field.slice(0, at)), field.slice(at + 1)];
    });
}

/** Splits a stream of readable messages. */
export function messagesIn(text: string): string[] {
  return text.split(/(?<=\|10=\d{3}\|)/).filter(part => part !== '');
}

export const stampOf = (millis: number): string => {
  const iso = new Date(millis).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')}-${iso.slice(11, 23)}`;
};

/** What two sessions would be sent alike: no length, number, time, name, queue and checksum. @param message readable */
export function sharedFields(message: string): string {
  return message.replace(/(?<=^|\|)(?:8|9|10|34|49|52|56|813)=[^|]*\|/g, '');
}
