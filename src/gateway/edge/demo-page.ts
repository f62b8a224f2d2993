/**
 * The demonstration page at `/`, for the gateway that makes its own key: its first user has a browser and nothing else.
 * It is served to this machine alone, as the page brings a token along.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { mintToken } from '../../auth/token.js';
import type { Config } from '../../config/environment.js';
import { hostNameOf, isFixedHost, isListedHost, isLoopback } from '../../config/hosts.js';
import { contentSecurityPolicy, isUnchanged, PAGE_HEADERS, type PageAsset, readPageAssets } from '../../page-assets.js';
import type { HttpAnswer } from './answers.js';
import { addressText, unmapped } from './client-address.js';

const FILES = {
  '/': 'demo.html',
  '/demo.js': 'demo.js',
  '/demo.css': 'demo.css',
  '/icon.svg': 'icon.svg',
};
const SESSION_PATH = '/demo.json';
/** The page asks for another token before each connection, and before this one expires. */
const TOKEN_TTL_MS = 10 * 60_000;
const SYMBOLS_MAX = 16;
const ENTITLEMENTS = ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*'];
/** A proxy adds these: then the client may be on another machine. */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];
/** What browsers say of requests by the page itself, and by its reader. */
const OWN_SITES = ['', 'same-origin', 'none'];

export class DemoPage {
  readonly #config: Config;
  readonly #assets: ReadonlyMap<string, PageAsset>;

  private constructor(config: Config, folder: URL) {
    this.#config = config;
    this.#assets = readPageAssets(folder, FILES);
  }

  /**
   * Undefined where the operator has keys or credentials.
   * @param folder where the build writes the pages
   * @throws {Error} if it did not
   */
  static of(config: Config, folder: URL): DemoPage | undefined {
    return config.hasOwnKey ? new DemoPage(config, folder) : undefined;
  }

  /**
   * The answer for a path of the page; undefined for any other request. Reads all it needs of the request before it
   * returns.
   */
  answer(request: HttpRequest, response: HttpResponse): HttpAnswer | Promise<HttpAnswer> | undefined {
    const path = request.getUrl();
    const asset = this.#assets.get(path);
    if (asset === undefined && path !== SESSION_PATH) return undefined;
    if (!this.#isServed(request, response)) return undefined;
    const method = request.getMethod();
    if (method !== 'get' && method !== 'head')
      return { ...problem(405, 'method_not_allowed', 'GET or HEAD'), headers: { Allow: 'GET, HEAD' } };
    if (asset === undefined) return this.#session(request.getHeader('sec-fetch-site'));
    const { contentType, body, etag } = asset;
    const headers = {
      ...PAGE_HEADERS,
      'Content-Type': contentType,
      'Content-Security-Policy': contentSecurityPolicy(),
      ETag: etag,
    };
    if (isUnchanged(asset, request.getHeader('if-none-match'))) return { status: 304, headers, body: '' };
    return { status: 200, headers, body };
  }

  /** Only to this machine, without a proxy between, and under a name that DNS rebinding cannot forge. */
  #isServed(request: HttpRequest, response: HttpResponse): boolean {
    const host = request.getHeader('host');
    const peer = addressText(unmapped(new Uint8Array(response.getRemoteAddress())));
    return (
      isLoopback(peer) &&
      FORWARDING_HEADERS.every(name => request.getHeader(name) === '') &&
      (isFixedHost(hostNameOf(host)) || isListedHost(host, this.#config.allowedHosts))
    );
  }

  /** What the page starts with: a token for market data, and what there is to see. */
  #session(site: string): HttpAnswer | Promise<HttpAnswer> {
    if (!OWN_SITES.includes(site)) return problem(403, 'forbidden', 'only the page itself may ask');
    const { auth, symbols, feed, simulator, adminPort } = this.#config;
    const { secret = '', issuers, audiences, tokenMaxAgeMs = TOKEN_TTL_MS } = auth;
    const ttlMs = Math.min(TOKEN_TTL_MS, tokenMaxAgeMs);
    const minted = mintToken({
      secret,
      sub: 'demo-page',
      tier: 'institutional',
      entitlements: ENTITLEMENTS,
      ttlMs,
      issuer: issuers[0],
      audience: audiences[0],
    });
    const named = symbols.filter(symbol => !symbol.includes('*')).slice(0, SYMBOLS_MAX);
    return minted.then(token => ({
      status: 200,
      headers: { ...PAGE_HEADERS, 'Cache-Control': 'no-store' },
      body: JSON.stringify({
        token,
        feed,
        symbols: named,
        // The simulator then moves a few symbols at this interval only.
        calm_interval_ms: feed === 'simulator' && simulator.updatesPerSecond === 0 ? simulator.intervalMs : null,
        // An address that is not on this machine, or any free port: the page cannot tell where the dashboard is.
        dashboard_port: isLoopback(this.#config.adminHost) && adminPort !== 0 ? adminPort : null,
      }),
    }));
  }
}

function problem(status: 403 | 405, code: string, message: string): HttpAnswer {
  return { status, body: JSON.stringify({ error: { code, message } }) };
}
