//! Records at rest: typed Parquet and NDJSON, on local disk or S3, made visible by a manifest.
