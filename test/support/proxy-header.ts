/** PROXY protocol version 2 (the specification of HAProxy), as proxies send it before a connection's own bytes. */
import { isIP } from 'node:net';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2_PROXY = 0x21;
const VERSION_2_LOCAL = 0x20;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const NOTHING = 0x00;
const PORTS = Buffer.from([0x9c, 0x40, 0x1f, 0x90]);

/** @param source the client's address @param more what follows the addresses, such as TLVs */
export function proxyHeader(source: string, more: Buffer = Buffer.alloc(0)): Buffer {
  const isIpv4 = isIP(source) === 4;
  const address = isIpv4 ? Buffer.from(source.split('.').map(Number)) : ipv6Bytes(source);
  const target = Buffer.alloc(address.length, 1);
  return header(VERSION_2_PROXY, isIpv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6, Buffer.concat([address, target, PORTS, more]));
}

/** What a proxy sends on a connection of its own, such as a health check. */
export function localProxyHeader(): Buffer {
  return header(VERSION_2_LOCAL, NOTHING, Buffer.alloc(0));
}

function header(versionAndCommand: number, family: number, payload: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(payload.length);
  return Buffer.concat([SIGNATURE, Buffer.from([versionAndCommand, family]), length, payload]);
}

/** @param address without `::` */
function ipv6Bytes(address: string): Buffer {
  return Buffer.from(address.split(':').flatMap(group => [...Buffer.from(group.padStart(4, '0'), 'hex')]));
}
