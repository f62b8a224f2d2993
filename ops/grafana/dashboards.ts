/** All dashboards, in the order in which an operator reads them. */
import type { Dashboard } from './dashboard.js';
import { delivery } from './tables/delivery.js';
import { feed } from './tables/feed.js';
import { overview } from './tables/overview.js';
import { security } from './tables/security.js';
import { slowClients } from './tables/slow-clients.js';
import { threads } from './tables/threads.js';

export const DASHBOARDS: readonly Dashboard[] = [overview, delivery, slowClients, feed, threads, security];
