/** Writes ops/grafana/dashboards/*.json from the tables beside this file: `npm run dashboards`. */
import { writeFileSync } from 'node:fs';
import { dashboardJson } from './dashboard.js';
import { DASHBOARDS } from './dashboards.js';

for (const dashboard of DASHBOARDS) {
  const file = new URL(`dashboards/${dashboard.name}.json`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(dashboardJson(dashboard))}\n`);
  process.stdout.write(`written: dashboards/${dashboard.name}.json\n`);
}
