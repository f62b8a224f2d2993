/** What the routes of the API work on. */

import type { LiveTokens } from '../auth/live-token.js';
import type { Config, Environment } from '../config/environment.js';
import { pseudonymOf } from '../gateway/supervision/client-log.js';
import type { ThreadQuestions } from '../gateway/supervision/thread-questions.js';
import type { Logger } from '../observe/log.js';
import type { MainStats } from '../observe/main-stats.js';
import type { RevocationKeeper } from '../revocation/keeper.js';
import type { History } from './history.js';
import type { MainParts } from './main-stats.js';
import type { TopicRates } from './topic-rates.js';

export interface ApiParts {
  /** In force. */
  readonly config: () => Config;
  /** The environment that it was made of. */
  readonly settings: () => Environment;
  /** Empty when ready, else what is missing. */
  readonly notReady: () => readonly string[];
  readonly isDraining: () => boolean;
  /** Refuses new connections and redirects existing ones. */
  readonly drain: () => void;
  readonly log: Logger;
  readonly parts: () => MainParts;
  readonly mainStats: () => MainStats;
  readonly revocations: RevocationKeeper;
  readonly live: LiveTokens;
  readonly questions: ThreadQuestions;
  readonly history: History;
  readonly rates: TopicRates;
}

/** How threads are named, in answers and by Node. */
export const gatewayThreadName = (worker: number): string => `gateway-${worker}`;

/** Names of the threads that did not answer. */
export const namesOf = (silent: readonly number[]): readonly string[] => silent.map(gatewayThreadName);

/** How the caller of the log names a user: by LOG_USERS; with a journal, the log puts in its pseudonym. */
export function shownUser({ logUsers }: Pick<Config, 'logUsers'>, user: string): string {
  return logUsers === 'pseudonym' ? pseudonymOf(user) : user;
}

const OWN_ORDERS = 'orders:';

/** The same for a topic: a user's orders are named after the user. */
export function shownTopic(config: Pick<Config, 'logUsers'>, topic: string): string {
  return topic.startsWith(OWN_ORDERS) ? `${OWN_ORDERS}${shownUser(config, topic.slice(OWN_ORDERS.length))}` : topic;
}
