/** Sets of IP addresses, as `TRUSTED_PROXIES` names them. */
import { isIP } from 'node:net';

/** All addresses that begin like this one. */
export interface Network {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** How many bits must be equal: 1 to 32, or to 128. */
  readonly prefix: number;
}

/**
 * @param text an address, or a network in CIDR notation (RFC 4632, RFC 4291)
 * @returns undefined if it is neither, or is every address of its family
 */
export function networkOf(text: string): Network | undefined {
  const [, address = '', bits] = /^([\d.]+|[\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const longest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? longest : Number(bits);
  if (prefix < 1 || prefix > longest) return undefined;
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix };
}
