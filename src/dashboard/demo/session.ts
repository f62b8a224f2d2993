/** What the gateway tells its demonstration page: a token, and what there is to see. */

export interface DemoSession {
  readonly token: string;
  readonly feed: string;
  /** Those that the settings name; empty if they name none. */
  readonly symbols: readonly string[];
  /** How often the calm market moves; null for any other. */
  readonly calm_interval_ms: number | null;
  readonly dashboard_port: number | null;
}

/** Asks the gateway. @throws {Error} if it does not answer, or refuses */
export async function demoSession(): Promise<DemoSession> {
  const response = await fetch('demo.json', { credentials: 'omit', cache: 'no-store' });
  if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
  return (await response.json()) as DemoSession;
}
