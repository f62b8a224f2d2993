/**
 * The programs of the gateway's threads, the browser pages, and what tells its version. Named here, at the root, because
 * the build bundles their callers into files beside this one (esbuild.config.mjs).
 */
export const GATEWAY_THREAD = new URL('./gateway/thread.js', import.meta.url);
export const ENCODER_TASK = new URL('./encoder/task.js', import.meta.url);
export const FIX_THREAD = new URL('./fix-thread.js', import.meta.url);
export const SURVEILLANCE_THREAD = new URL('./surveillance-thread.js', import.meta.url);
export const USAGE_THREAD = new URL('./journal/usage/usage-thread.js', import.meta.url);
export const JOURNAL_THREAD = new URL('./journal/thread.js', import.meta.url);
export const PAGES = new URL('./dashboard/', import.meta.url);
export const PACKAGE_FILE = new URL('../package.json', import.meta.url);
