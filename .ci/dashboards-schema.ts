// The shape of our dashboards: Grafana's published types, with the options of the plugins that are
// used and the queries of its Prometheus data source, which the package leaves open.
//
// Never here: what a dashboard shows.

import type {
  AnnotationQuery,
  Dashboard,
  FieldConfigSource,
  Panel,
  RowPanel,
  VariableModel,
} from '@grafana/schema';
import type * as Heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.js';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.js';
import type * as Table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.js';
import type * as Lines from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.js';

// JSON has the values of enums, not the enums.
type Plain<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends readonly (infer U)[]
      ? Plain<U>[]
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T;

type DataSource = { type: 'prometheus'; uid: '${datasource}' };

type Target = {
  refId: string;
  datasource: DataSource;
  editorMode: 'code';
  expr: string;
  legendFormat: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  range: boolean;
  exemplar: boolean;
};

// Of each plugin its own options and fields, and all that we set must be among them.
type Of<Kind extends string, Options, Custom> = Omit<
  Panel,
  'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'
> & {
  type: Kind;
  datasource: DataSource;
  targets: Target[];
  options: Plain<Options>;
  fieldConfig: {
    defaults: Plain<Omit<FieldConfigSource['defaults'], 'custom'>> & {
      custom: Plain<Partial<Custom>>;
    };
    overrides: FieldConfigSource['overrides'];
  };
};

type Ours =
  | Of<'stat', Stat.Options, Record<string, never>>
  | Of<'timeseries', Lines.Options, Lines.FieldConfig>
  | Of<'table', Table.Options, Table.FieldConfig>
  | Of<'heatmap', Heatmap.Options, Heatmap.FieldConfig>
  | RowPanel;

// What the data source reads of a mark besides what all have.
type Mark = Omit<AnnotationQuery, 'target'> & {
  target: { refId: string; expr: string };
  useValueForTime: 'on';
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
};

// Written by Grafana beside the query, and read by nothing but its editor.
type Variable = VariableModel & { definition?: string };

export type Shape = Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & {
  panels: Ours[];
  annotations: { list: Mark[] };
  templating: { list: Variable[] };
};
