import { userInfo } from 'node:os';

/** Who runs the command, as the system calls them; '' where it has no name for them, as in some containers. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // The user id alone is known.
    return '';
  }
}
