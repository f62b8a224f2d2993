/**
 * The files of the browser pages, which the build writes (esbuild.config.mjs). They are read once and served from memory,
 * by name from a fixed list: no request ever leads to a path.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ETAG_LENGTH = 20;

/** What every answer with a page or a part of it says to the browser. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Ask again each time: another version of the gateway may serve the same name.
  'Cache-Control': 'no-cache',
};

export interface PageAsset {
  readonly contentType: string;
  readonly body: string;
  /** Strong, as `ETag` and `If-None-Match` carry it. */
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * The policy of a page: its own files, the connections named, and nothing inline, embedded or submitted.
 * @param sockets sources of `connect-src` besides the page's own origin
 */
export function contentSecurityPolicy(sockets: readonly string[] = []): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...sockets].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

/**
 * Reads these files.
 * @param folder where the build writes them
 * @param files the path that each is served at, and its name
 * @throws {Error} with `cause` if the build did not write one of them
 */
export function readPageAssets(folder: URL, files: Readonly<Record<string, string>>): ReadonlyMap<string, PageAsset> {
  return new Map(Object.entries(files).map(([path, name]) => [path, readAsset(new URL(name, folder))]));
}

/** Whether `If-None-Match` names this version (RFC 9110 section 13.1.2). */
export function isUnchanged({ etag }: PageAsset, ifNoneMatch: string): boolean {
  return ifNoneMatch.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*');
}

function readAsset(file: URL): PageAsset {
  const body = readFileSync(file, 'utf8');
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, ETAG_LENGTH)}"`;
  return { contentType: TYPES[file.pathname.split('.').at(-1) ?? ''] ?? 'application/octet-stream', body, etag };
}
