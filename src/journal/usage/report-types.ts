/** The usage report, as its JSON form has it. Times are RFC 3339, UTC. */

export interface UsageReport {
  /** `YYYY-MM`. */
  readonly month: string;
  /** Some journal reaches behind the end of the month in every time zone. */
  readonly complete: boolean;
  /** Pseudonyms of several journals were joined by the keys of their subjects. */
  readonly users_joined: boolean;
  readonly products: readonly ReportedProduct[];
  readonly journals: readonly ReportedJournal[];
  readonly totals: readonly UsageTotal[];
  readonly users: readonly UserUsage[];
  readonly not_counted: NotCounted;
}

export interface ReportedProduct {
  readonly code: string;
  readonly vendor: string;
  readonly topics: readonly string[];
  readonly time_zone: string;
  /** The month in that time zone: from the first up to the second, which is no longer part of it. */
  readonly from: string;
  readonly to: string;
  /** `YYYY-MM-DD`; null if there is none. */
  readonly first_working_day: string | null;
}

/** One chain of a journal. */
export interface ReportedJournal {
  /** As it was given, with `/takeover` for the second chain. */
  readonly folder: string;
  readonly node: string;
  /** First and last record that was read; null if there is none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly records: number;
  /** The last block that was read, and its hash. */
  readonly last_block: number | null;
  readonly last_hash: string | null;
  readonly verified: boolean;
  /** What the verification found, a few of them. */
  readonly faults: readonly string[];
  /** Records that the gateway could not write in this time. */
  readonly dropped_records: number;
  /** Lines that are no records. */
  readonly unreadable_lines: number;
  /** How often the system clock was set back by more than a minute, to or from a time in the month. */
  readonly clock_set_back: number;
}

/** What is in the journals, and in no row. */
interface NotCounted {
  /** Subscriptions to topics that belong to no product. */
  readonly subscriptions_without_product: number;
  /** Subscriptions of connections whose beginning is not in the journals. */
  readonly subscriptions_without_connection: number;
  /** Credentials with more entitlements than the journal lists. */
  readonly credentials_with_cut_entitlements: number;
}

type Data = 'realtime' | 'delayed';

/** A product as one user of one firm had it, in one status. */
export interface UserUsage {
  readonly vendor: string;
  readonly product: string;
  readonly data: Data;
  readonly firm: string | null;
  /** Pseudonym; null: anonymous. */
  readonly user: string | null;
  /** Null: the credential does not say. */
  readonly professional: boolean | null;
  readonly use: string | null;
  /** A credential granted it in real time at some time in the month. */
  readonly entitled: boolean;
  readonly entitled_first_working_day: boolean;
  readonly first_use: string | null;
  readonly last_use: string | null;
  readonly days_used: number;
  readonly peak_connections: number;
  /** Different addresses. */
  readonly locations: number;
}

export interface UsageTotal {
  readonly scope: 'vendor' | 'vendor_firm' | 'product' | 'product_firm';
  readonly vendor: string;
  /** Null: all products of the vendor. */
  readonly product: string | null;
  /** Null: all firms. */
  readonly firm: string | null;
  readonly data: Data;
  /** Different users with use in the month: over several products of a vendor, each counts once. */
  readonly users: number;
  /** The same without netting: the sum over the products. */
  readonly users_gross: number;
  readonly users_professional: number;
  readonly users_non_professional: number;
  readonly users_display: number;
  readonly users_non_display: number;
  readonly users_entitled_first_working_day: number;
  /** Different pairs of user and address. */
  readonly devices: number;
  readonly locations: number;
  readonly peak_connections: number;
}
