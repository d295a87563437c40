//! Generates the page of exit codes.

use super::{begin, code, table};
use crate::model::Kind;
use crate::protocol::airbyte::failure_type;

pub(super) fn page() -> String {
    let mut page = begin("Exit codes");
    page.push_str(
        "Unknown codes mean failure.\n\n## `sync`, `backup`, `plan` and the like\n\n`error` is the word in \
         the JSON object that stands on stderr where results are JSON: `{\"error\", \"message\", \
         \"exitCode\", \"statusCode\"?, \"path\"?, \"cause\"?}`.\n\n",
    );
    let mut rows = vec![
        vec!["0".to_owned(), String::new(), "Done, complete.".to_owned()],
        vec![
            "1".to_owned(),
            String::new(),
            "`backup diff` or `bundle diff` found differences, with `--exit-code`.".to_owned(),
        ],
    ];
    let mut kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Pipe).collect();
    kinds.sort_by_key(|kind| kind.exit_code());
    rows.extend(kinds.iter().map(|kind| {
        vec![kind.exit_code().to_string(), code(kind.name()), kind.meaning().to_owned()]
    }));
    page.push_str(&table(&["code", "error", "when"], rows));
    page.push_str(
        "\n## Airbyte commands and `tap-pipedrive`\n\n0 is complete and 1 any failure, after a TRACE \
         message (Airbyte) or a CRITICAL line on stderr (Singer) that says why. `check` with a \
         configuration that does not work answers FAILED and exits with 0; on a terminal, or with `-o`, it \
         ends as standalone commands do. An interrupted tap writes \
         its state and exits with 130. Airbyte's `failure_type` says who must act:\n\n",
    );
    let rows = kinds
        .iter()
        .map(|kind| vec![code(failure_type(*kind)), code(kind.name()), kind.meaning().to_owned()]);
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    page.push_str(&table(&["failure_type", "error", "when"], rows));
    page
}
