/** What a reload changes of the configuration. */
import { adminTokenAfter } from './admin/access.js';
import type { Config } from './config/environment.js';
import type { Logger } from './observe/log.js';

export function reloadedConfig(current: Config, fresh: Config, log: Logger): Config {
  const { logLevel, logClients, logUsers, auth } = fresh;
  const { secret, previousSecret } = auth;
  const adminToken = adminTokenAfter(current, fresh, log);
  const authNow = { ...current.auth, secret, previousSecret };
  return { ...current, logLevel, logClients, logUsers, adminToken, auth: authNow };
}
