/** Normalizes client addresses for per-address counts. */
import { isIP } from 'node:net';

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** An IPv6 host owns its whole /64 (RFC 4291 section 2.5.1), so a /64 counts as one address. */
const IPV6_COUNTED_BYTES = 8;
/** `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** @param bytes 4 or 16, in network order. @returns `192.0.2.1`, or `2001:db8:0:1::/64`; '' for anything else */
export function clientAddress(bytes: Uint8Array): string {
  if (bytes.length === IPV4_BYTES) return bytes.join('.');
  if (bytes.length !== IPV6_BYTES) return '';
  if (MAPPED_PREFIX.every((byte, i) => bytes[i] === byte)) return bytes.subarray(IPV6_BYTES - IPV4_BYTES).join('.');
  const groups: string[] = [];
  for (let i = 0; i < IPV6_COUNTED_BYTES; i += 2)
    groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return `${groups.join(':')}::/64`;
}

/** The same for an address in Node's text form. */
export function clientAddressOf(text: string): string {
  const address = text.replace(/%.*$/, '');
  if (isIP(address) === 4) return clientAddress(Uint8Array.from(address.split('.'), Number));
  return isIP(address) === 6 ? clientAddress(ipv6Bytes(address)) : '';
}

function ipv6Bytes(address: string): Uint8Array {
  // A mapped address may end in dotted notation.
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const pair = (a = '0', b = '0') => ((Number(a) << 8) | Number(b)).toString(16);
  const plain =
    dotted === null
      ? address
      : `${address.slice(0, dotted.index)}${pair(dotted[1], dotted[2])}:${pair(dotted[3], dotted[4])}`;
  const [left = '', right] = plain.split('::');
  const head = left.split(':').filter(group => group !== '');
  const tail = (right ?? '').split(':').filter(group => group !== '');
  const zeros = Array<string>(IPV6_BYTES / 2 - head.length - tail.length).fill('0');
  const bytes = new Uint8Array(IPV6_BYTES);
  [...head, ...zeros, ...tail].forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}
