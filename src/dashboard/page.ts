/** What the pages of the dashboard have in common. */
import type { Api } from './api.js';
import type { Stats } from './api-types.js';
import type { History } from './history.js';

/** What a page is given. */
export interface PageContext {
  readonly api: Api;
  readonly history: History;
  /** The newest numbers of the process, if there are any. */
  readonly stats: () => Stats | undefined;
  /** The time at the gateway, ms since the Unix epoch; undefined before its first sample. */
  readonly serverNowMs: () => number | undefined;
  /** Says something at the top of the page. */
  readonly say: (text: string, tone: 'good' | 'bad') => void;
  /** Goes to another page, or the same one with other parameters. */
  readonly go: (hash: string) => void;
}

export interface Page {
  readonly title: string;
  readonly element: HTMLElement;
  start(): void;
  stop(): void;
  /** There is another sample, or other numbers. */
  refresh?(): void;
}

export const connectionHash = (id: string) => `#/connections/${encodeURIComponent(id)}`;
export const userHash = (user: string) => `#/users/${encodeURIComponent(user)}`;
export const topicHash = (topic: string) => `#/topics/${encodeURIComponent(topic)}`;
/** A list with these parameters. */
export function listHash(list: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
  return given.length === 0 ? `#/${list}` : `#/${list}?${new URLSearchParams(given)}`;
}
