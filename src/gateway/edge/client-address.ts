/** Client addresses, as bytes in network order, as text, and as the key under which limits count them. */
import { isIP } from 'node:net';

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** An IPv6 host owns its whole /64 (RFC 4291 section 2.5.1), so a /64 counts as one address. */
const IPV6_COUNTED_BYTES = 8;
/** `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** @param bytes 4 or 16, in network order. @returns `192.0.2.1`, or `2001:db8:0:1::/64`; '' for anything else */
export function clientAddress(bytes: Uint8Array): string {
  const plain = unmapped(bytes);
  if (plain.length === IPV4_BYTES) return plain.join('.');
  return plain.length === IPV6_BYTES ? `${groupsOf(plain, IPV6_COUNTED_BYTES)}::/64` : '';
}

/** The same for an address in Node's text form. */
export function clientAddressOf(text: string): string {
  return clientAddress(addressBytes(text) ?? new Uint8Array());
}

/** @returns 4 or 16 bytes, IPv4 also where the text maps it into IPv6; undefined if the text is no address */
export function addressBytes(text: string): Uint8Array | undefined {
  const address = text.replace(/%.*$/, '');
  if (isIP(address) === 4) return Uint8Array.from(address.split('.'), Number);
  return isIP(address) === 6 ? unmapped(ipv6Bytes(address)) : undefined;
}

/** @param bytes see {@link addressBytes} */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === IPV4_BYTES ? bytes.join('.') : groupsOf(bytes, IPV6_BYTES);
}

/** The IPv4 address that an IPv6 address maps; any other stays as it is. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  const isMapped = bytes.length === IPV6_BYTES && MAPPED_PREFIX.every((byte, i) => bytes[i] === byte);
  return isMapped ? bytes.subarray(IPV6_BYTES - IPV4_BYTES) : bytes;
}

function groupsOf(bytes: Uint8Array, count: number): string {
  const groups: string[] = [];
  for (let i = 0; i < count; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return groups.join(':');
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
