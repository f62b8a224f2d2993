import { userInfo } from 'node:os';

/**
 * Who runs the command, as the system calls them; '' where it has no name for them, as in some containers.
 * @param read asks the system; tests replace it
 */
export function userName(read: () => { readonly username: string } = userInfo): string {
  try {
    return read().username;
  } catch {
    // The user id alone is known.
    return '';
  }
}
