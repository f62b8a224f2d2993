/** The dashboard's files on the admin port. They hold no secret, so anyone who reaches the port may load them. */

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostNameOf } from '../config/hosts.js';
import { contentSecurityPolicy, isUnchanged, PAGE_HEADERS, type PageAsset, readPageAssets } from '../page-assets.js';
import type { Answer } from './answers.js';

const PAGE = '/dashboard';
const FILES = {
  [PAGE]: 'dashboard.html',
  [`${PAGE}/dashboard.js`]: 'dashboard.js',
  [`${PAGE}/dashboard.css`]: 'dashboard.css',
  [`${PAGE}/icon.svg`]: 'icon.svg',
};
/** Relative, so that they hold behind a proxy that serves this port under a path of its own. */
const REDIRECTS: Readonly<Record<string, string>> = { '/': 'dashboard', [`${PAGE}/`]: '../dashboard' };

const ANY_ADDRESSES = ['0.0.0.0', '::'];

interface ClientPort {
  readonly host: string;
  readonly port: number;
}

export class DashboardPages {
  readonly #assets: ReadonlyMap<string, PageAsset>;
  readonly #clients: () => ClientPort;

  /**
   * @param folder where the build writes the pages
   * @param clients where clients connect, for the live view of a topic
   * @throws {Error} if the build did not write them
   */
  constructor(folder: URL, clients: () => ClientPort) {
    this.#assets = readPageAssets(folder, FILES);
    this.#clients = clients;
  }

  /** The answer to a read of this path; undefined if it is none of the dashboard's. */
  answer(path: string, { headers }: Pick<IncomingMessage, 'headers'>): Answer | undefined {
    const target = REDIRECTS[path];
    if (target !== undefined) {
      return { status: 308, contentType: 'text/plain', text: '', headers: { ...PAGE_HEADERS, Location: target } };
    }
    const asset = this.#assets.get(path);
    if (asset === undefined) return undefined;
    const { contentType, body, etag } = asset;
    const answered = {
      contentType,
      headers: { ...PAGE_HEADERS, 'Content-Security-Policy': this.#policy(headers.host ?? ''), ETag: etag },
    };
    const isKnown = isUnchanged(asset, headers['if-none-match'] ?? '');
    return isKnown ? { ...answered, status: 304, text: '' } : { ...answered, status: 200, text: body };
  }

  /** The live view connects to the client port, at the page's own host or at the one that HOST names. */
  #policy(host: string): string {
    const { host: own, port } = this.#clients();
    // Of any address, the gateway offers that of the page.
    const names = new Set([hostNameOf(host), ...(ANY_ADDRESSES.includes(own) ? [] : [own])]);
    const sockets = [...names].flatMap(name => {
      // A policy cannot name an IPv6 address.
      if (isIP(name) === 6) return ['ws:', 'wss:'];
      return name === '' ? [] : [`ws://${name}:${port}`, `wss://${name}:${port}`];
    });
    return contentSecurityPolicy([...new Set(sockets)]);
  }
}
