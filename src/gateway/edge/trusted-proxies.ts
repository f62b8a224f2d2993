/**
 * Where a client behind proxies connects from. Only the operator's own proxies (`TRUSTED_PROXIES`) are believed, since
 * anyone can write any header. The search starts at the socket's peer and goes back hop by hop: while a hop is a
 * trusted proxy, the hop that it names comes next. So the client is the last hop before the first trusted proxy;
 * whatever that client claims itself is not read.
 *
 * A proxy names the hop before it in a PROXY protocol v2 header, which uWS parses, or at the right end of
 * `X-Forwarded-For`.
 */
import { BlockList, isIP } from 'node:net';
import type { Network } from '../../config/networks.js';
import { addressBytes, addressText, unmapped } from './client-address.js';

/** What the proxies say about one connection; read only if its peer is trusted. */
interface Forwarding {
  /** The source address in the PROXY header: 4 or 16 bytes, or none. */
  readonly proxied: () => Uint8Array;
  /** All `X-Forwarded-For` lines, in order, joined by commas. */
  readonly forwardedFor: () => string;
}

export class TrustedProxies {
  readonly #networks = new BlockList();
  readonly #isEmpty: boolean;

  constructor(networks: readonly Network[]) {
    this.#isEmpty = networks.length === 0;
    for (const { address, prefix, family } of networks) this.#networks.addSubnet(address, prefix, family);
  }

  /** @param address 4 or 16 bytes, in network order */
  isTrusted(address: Uint8Array): boolean {
    if (this.#isEmpty) return false;
    const text = addressText(unmapped(address));
    return this.#networks.check(text, isIP(text) === 4 ? 'ipv4' : 'ipv6');
  }

  /** @param peer the address of the socket's other end. @returns the client's address, both as bytes */
  clientOf(peer: Uint8Array, { proxied, forwardedFor }: Forwarding): Uint8Array {
    if (!this.isTrusted(peer)) return peer;
    const named = proxied();
    let hop = named.length === 0 ? peer : named;
    if (!this.isTrusted(hop)) return hop;
    const items = forwardedFor().split(',');
    for (let i = items.length - 1; i >= 0; i--) {
      const item = (items[i] as string).trim();
      if (item === '') continue;
      const next = hopOf(item);
      // A proxy that does not say where its client is (`unknown`, RFC 7239 section 6.2) counts as the client itself.
      if (next === undefined) return hop;
      hop = next;
      if (!this.isTrusted(hop)) return hop;
    }
    return hop;
  }
}

/** @param item an address, in brackets or quotes or not, with or without a port */
function hopOf(item: string): Uint8Array | undefined {
  const text = item.replace(/^"(.*)"$/, '$1');
  const address =
    /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(text)?.[1] ?? text;
  return addressBytes(address);
}
