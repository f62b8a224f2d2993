/**
 * uWebSockets, loaded from the package whose binary fits this machine. Everything that uses uWebSockets imports it from
 * here; types may come from the package `uWebSockets.js` itself, whose declarations hold for both.
 */
import type * as Uws from 'uWebSockets.js';
import { fittingPackages, misfit, thisHost } from './uws-packages.js';

export type * from 'uWebSockets.js';

/** The package in use. */
export const { specifier: uwsPackage, uws } = await load();

export const { App, SSLApp, us_listen_socket_close, us_socket_local_port } = uws;

/** @throws {Error} one line that says why no package loads, and what to do */
async function load(): Promise<{ specifier: string; uws: typeof Uws }> {
  const host = thisHost();
  const reasons: string[] = [];
  for (const specifier of fittingPackages(host)) {
    try {
      return { specifier, uws: (await import(specifier)) as typeof Uws };
    } catch (cause) {
      reasons.push(`${specifier}: ${firstLine(cause)}`);
    }
  }
  throw new Error(
    misfit(host) ?? `uWebSockets does not load: ${reasons.join('; ')}. Install Millrace again with npm ci`,
  );
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0] as string;
}
