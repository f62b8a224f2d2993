/** What a client's address counts as, where connections of one address are counted. */

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** An IPv6 host has its whole /64 to itself (RFC 4291 section 2.5.1): it counts as one. */
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
