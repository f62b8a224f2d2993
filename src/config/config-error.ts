/**
 * An unusable setting; the message names the environment variable. This file has no imports because every thread loads
 * it.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
