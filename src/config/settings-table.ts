/** Every environment variable of the gateway, by group: the source of the documents, `--help` and `millrace check`. */
import { optional, type Setting, type SettingGroup } from './setting.js';
import { file } from './values.js';
import { authGroups } from './variables/auth.js';
import { clientGroups } from './variables/clients.js';
import { feedGroups } from './variables/feed.js';
import { processGroups } from './variables/process.js';

/** The variable that names the file of a secret. */
export const secretFileName = (secret: string) => `${secret}_FILE`;

export const SETTING_GROUPS: readonly SettingGroup[] = [
  ...processGroups,
  ...feedGroups,
  ...authGroups,
  ...clientGroups,
].map(withSecretFiles);

export const SETTINGS: ReadonlyMap<string, Setting<unknown>> = new Map(
  SETTING_GROUPS.flatMap(({ settings }) => Object.entries(settings)),
);

/** Settings that are secrets. */
export const SECRETS: readonly string[] = [...SETTINGS].filter(([, { type }]) => type.isSecret).map(([name]) => name);

/** Each secret may stand in a file instead. */
function withSecretFiles(group: SettingGroup): SettingGroup {
  const settings = Object.entries(group.settings).flatMap(([name, setting]): [string, Setting<unknown>][] =>
    setting.type.isSecret ? [[name, setting], [secretFileName(name), fileOf(name, setting)]] : [[name, setting]],
  );
  return { ...group, settings: Object.fromEntries(settings) };
}

function fileOf(secret: string, { isReloaded }: Setting<unknown>): Setting<unknown> {
  const means = `File that holds \`${secret}\`, for secrets that are mounted. A line end at its end is ignored.`;
  return optional(file, { means, isReloaded });
}
