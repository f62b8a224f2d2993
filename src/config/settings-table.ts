/** Every environment variable of the gateway, by group: the source of the documents, `--help` and `millrace check`. */
import type { Setting, SettingGroup } from './setting.js';
import { authGroups } from './variables/auth.js';
import { clientGroups } from './variables/clients.js';
import { feedGroups } from './variables/feed.js';
import { processGroups } from './variables/process.js';

export const SETTING_GROUPS: readonly SettingGroup[] = [
  ...processGroups,
  ...feedGroups,
  ...authGroups,
  ...clientGroups,
];

export const SETTINGS: ReadonlyMap<string, Setting<unknown>> = new Map(
  SETTING_GROUPS.flatMap(({ settings }) => Object.entries(settings)),
);
