"""The account as anybody sees it who asks its API plainly.

Nothing here knows how the connector reads: every list is walked page by page in its default
order, deals state by state, lists per parent one parent at a time.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

DEAL_STATES = ["open", "won", "lost", "deleted"]
PROJECT_STATES = ["open", "completed", "canceled", "deleted"]
GOALS = [
    "deals_won",
    "deals_progressed",
    "deals_started",
    "activities_completed",
    "activities_added",
    "revenue_forecast",
]

# v2 lists: cursor paging, 500 rows a page.
CURSOR = {
    "persons": "/api/v2/persons",
    "organizations": "/api/v2/organizations",
    "activities": "/api/v2/activities",
    "products": "/api/v2/products",
    "pipelines": "/api/v2/pipelines",
    "stages": "/api/v2/stages",
    "tasks": "/api/v2/tasks",
    "project_templates": "/api/v2/projectTemplates",
    "project_fields": "/api/v2/projectFields",
    "deal_fields": "/api/v2/dealFields",
    "person_fields": "/api/v2/personFields",
    "organization_fields": "/api/v2/organizationFields",
    "product_fields": "/api/v2/productFields",
    "activity_fields": "/api/v2/activityFields",
}

# v1 lists: offset paging, with the page size the API allows.
OFFSET = {
    "notes": ("/api/v1/notes", 500),
    "files": ("/api/v1/files", 100),
    "call_logs": ("/api/v1/callLogs", 50),
    "lead_fields": ("/api/v1/leadFields", 500),
    "roles": ("/api/v1/roles", 500),
}

# Lists that come whole.
WHOLE = {
    "users": "/api/v1/users",
    "boards": "/api/v2/boards",
    "note_fields": "/api/v1/noteFields",
    "lead_labels": "/api/v1/leadLabels",
    "lead_sources": "/api/v1/leadSources",
    "activity_types": "/api/v1/activityTypes",
    "filters": "/api/v1/filters",
    "currencies": "/api/v1/currencies",
    "webhooks": "/api/v1/webhooks",
    "permission_sets": "/api/v1/permissionSets",
    "legacy_teams": "/api/v1/legacyTeams",
}

# Lists per parent: stream, its parent, path, paging, and the column that names the parent where
# the API's own row does not.
CHILDREN = [
    ("phases", "boards", "/api/v2/phases?board_id={}", "whole", None),
    ("deal_products", "deals", "/api/v2/deals/products?deal_ids={}", "cursor", None),
    ("deal_installments", "deals", "/api/v2/deals/installments?deal_ids={}", "cursor", None),
    ("product_variations", "products", "/api/v2/products/{}/variations", "cursor", None),
    (
        "organization_relationships",
        "organizations",
        "/api/v1/organizationRelationships?org_id={}",
        "whole",
        None,
    ),
    ("deal_changelog", "deals", "/api/v1/deals/{}/changelog", "cursor", "deal_id"),
    ("person_changelog", "persons", "/api/v1/persons/{}/changelog", "cursor", "person_id"),
    (
        "organization_changelog",
        "organizations",
        "/api/v1/organizations/{}/changelog",
        "cursor",
        "org_id",
    ),
    ("deal_participants", "deals", "/api/v1/deals/{}/participants", "offset", "deal_id"),
    ("deal_followers", "deals", "/api/v2/deals/{}/followers", "cursor", "deal_id"),
    ("person_followers", "persons", "/api/v2/persons/{}/followers", "cursor", "person_id"),
    (
        "organization_followers",
        "organizations",
        "/api/v2/organizations/{}/followers",
        "cursor",
        "org_id",
    ),
    ("product_followers", "products", "/api/v2/products/{}/followers", "cursor", "product_id"),
    ("note_comments", "notes", "/api/v1/notes/{}/comments", "offset", None),
    (
        "mail_messages",
        "mail_threads",
        "/api/v1/mailbox/mailThreads/{}/mailMessages",
        "whole",
        None,
    ),
    ("deal_discounts", "deals", "/api/v2/deals/{}/discounts", "whole", None),
    ("filter_conditions", "filters", "/api/v1/filters/{}", "one", None),
    ("role_assignments", "roles", "/api/v1/roles/{}/assignments", "offset", None),
    (
        "permission_set_assignments",
        "permission_sets",
        "/api/v1/permissionSets/{}/assignments",
        "offset",
        None,
    ),
    (
        "deal_participants_changelog",
        "deals",
        "/api/v1/deals/{}/participantsChangelog",
        "cursor",
        "deal_id",
    ),
    *(
        (
            f"{name}_followers_changelog",
            f"{name}s",
            f"/api/v2/{name}s/{{}}/followers/changelog",
            "cursor",
            column,
        )
        for name, column in [
            ("deal", "deal_id"),
            ("person", "person_id"),
            ("organization", "org_id"),
            ("product", "product_id"),
        ]
    ),
    *(
        (f"{name}_mail", f"{name}s", f"/api/v1/{name}s/{{}}/mailMessages", "mail", column)
        for name, column in [
            ("deal", "deal_id"),
            ("person", "person_id"),
            ("organization", "org_id"),
        ]
    ),
]

# Listed by both of the organizations it ties together.
SHARED = {"organization_relationships"}

# Begins the key of a row that the API gives none.
NO_KEY = "row "


# A deleted deal's lists, and whole endpoints of what the company has not bought or switched on.
NOT_THERE = {402, 403, 410, 415}


class Account:
    """A running sandbox, by the configuration it prints."""

    def __init__(self, config):
        self.origin = config["base_url"]
        self.token = config["credentials"]["api_token"]
        self.requests = 0

    def ask(self, method, path, body=None):
        """The answer's JSON, or None where a parent is gone or the account lacks the list."""
        self.requests += 1
        request = urllib.request.Request(
            self.origin + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-token": self.token, "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if method == "GET" and error.code in NOT_THERE:
                return None
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:300]}") from error

    def whole(self, path):
        """A list that is documented as coming whole; some are paged all the same."""
        answer, rows = self.ask("GET", path), []
        glue = "&" if "?" in path else "?"
        while answer is not None:
            rows += answer["data"] or []
            paging = (answer.get("additional_data") or {}).get("pagination") or {}
            if not paging.get("more_items_in_collection"):
                break
            answer = self.ask("GET", f"{path}{glue}start={paging['next_start']}")
        return rows

    def one(self, path):
        answer = self.ask("GET", path)
        return [answer["data"]] if answer else []

    def mail(self, path):
        return [item["data"] for item in self.offset(path)]

    def cursor(self, path):
        glue, cursor = "&" if "?" in path else "?", ""
        while True:
            answer = self.ask("GET", f"{path}{glue}limit=500{cursor}")
            if answer is None:
                return
            yield from answer["data"] or []
            following = (answer.get("additional_data") or {}).get("next_cursor")
            if following is None:
                return
            cursor = "&cursor=" + urllib.parse.quote(following)

    def offset(self, path, limit=500):
        glue, start = "&" if "?" in path else "?", 0
        while True:
            answer = self.ask("GET", f"{path}{glue}start={start}&limit={limit}")
            if answer is None:
                return
            yield from answer["data"] or []
            paging = (answer.get("additional_data") or {}).get("pagination") or {}
            if not paging.get("more_items_in_collection"):
                return
            start = paging["next_start"]

    def rows_of(self, name):
        """The rows of a stream that hangs on no other."""
        if name in CURSOR:
            return list(self.cursor(CURSOR[name]))
        if name in OFFSET:
            return list(self.offset(*OFFSET[name]))
        if name in WHOLE:
            return [masked(row) for row in self.whole(WHOLE[name])]
        return getattr(self, name)()

    def deals(self):
        return [
            deal
            for path in ("/api/v2/deals", "/api/v2/deals/archived")
            for state in DEAL_STATES
            for deal in self.cursor(f"{path}?status={state}")
        ]

    def projects(self):
        return [
            project
            for path in ("/api/v2/projects", "/api/v2/projects/archived")
            for state in PROJECT_STATES
            for project in self.cursor(f"{path}?status={state}")
        ]

    def leads(self):
        return [
            lead
            for path in ("/api/v1/leads", "/api/v1/leads/archived")
            for lead in self.offset(path)
        ]

    def mail_threads(self):
        # A thread can lie in several folders.
        threads = {
            thread["id"]: thread
            for folder in ("inbox", "drafts", "sent", "archive")
            for thread in self.offset(f"/api/v1/mailbox/mailThreads?folder={folder}")
        }
        return list(threads.values())

    def goals(self):
        return [
            goal
            for kind in GOALS
            for active in ("true", "false")
            for goal in self.found(f"/api/v1/goals/find?type.name={kind}&is_active={active}")
        ]

    def found(self, path):
        answer = self.ask("GET", path)
        return ((answer and answer["data"]) or {}).get("goals") or []

    def lists(self):
        """Every stream's rows, parents before their children."""
        named = [*CURSOR, *OFFSET, *WHOLE, "deals", "projects", "leads", "mail_threads", "goals"]
        rows = {name: self.rows_of(name) for name in named}
        for stream, parent, path, paging, column in CHILDREN:
            rows[stream] = [
                {column: above["id"], **row} if column else row
                for above in rows[parent]
                for row in getattr(self, paging)(path.format(above["id"]))
            ]
        return rows

    def truth(self, keys):
        """Every stream's rows by primary key; a row without one is its own key.

        `keys` holds the primary key columns of every stream.
        """
        rows = self.lists()
        if missing := set(keys) ^ set(rows):
            raise RuntimeError(f"the catalog and this walk differ in {sorted(missing)}")
        truth = {}
        for stream, columns in keys.items():
            named = [(key_of(row, columns), row) for row in rows[stream]]
            twice = [key for key, times in Counter(key for key, _ in named).items() if times > 1]
            if twice and stream not in SHARED and not twice[0].startswith(NO_KEY):
                raise RuntimeError(f"{stream}: {columns} does not tell rows apart: {twice[:3]}")
            truth[stream] = dict(named)
        return truth


def masked(row):
    """The row as every output has it: passwords of webhooks are masked."""
    return {**row, "http_auth_password": "****"} if row.get("http_auth_password") else row


def key_of(row, columns):
    """Primary key as text, comparable to what a database gives back."""
    if all(column in row for column in columns):
        return "|".join(str(row[column]) for column in columns)
    return NO_KEY + json.dumps(row, sort_keys=True)


def edit(account, truth):
    """A day's work in the account; returns what must be found in a copy afterwards.

    Each expectation is (stream, key, column, value).
    """
    expected = []

    def change(stream, path, key, method="PATCH", **values):
        account.ask(method, f"{path}/{key}", values)
        expected.extend((stream, str(key), column, value) for column, value in values.items())

    def create(stream, path, **values):
        key = account.ask("POST", path, values)["data"]["id"]
        expected.extend((stream, str(key), column, value) for column, value in values.items())

    def delete(path, key):
        account.ask("DELETE", f"{path}/{key}")

    def ids(stream, wanted=lambda row: True):
        # Some distance apart: neighbours share a page and often a second.
        found = [row["id"] for row in truth[stream].values() if wanted(row)]
        return iter(found[:: max(1, len(found) // 25)])

    deals = ids("deals", lambda deal: deal["status"] == "open" and not deal.get("is_archived"))
    for number in range(7):
        change("deals", "/api/v2/deals", next(deals), title=f"edited deal {number}")
    change("deals", "/api/v2/deals", next(deals), status="won")
    change("deals", "/api/v2/deals", next(deals), is_archived=True)
    gone = next(deals)
    delete("/api/v2/deals", gone)
    expected += [
        ("deals", str(gone), "is_deleted", True),
        ("deals", str(gone), "status", "deleted"),
    ]
    archived = ids("deals", lambda deal: deal.get("is_archived") and deal["status"] == "open")
    change("deals", "/api/v2/deals", next(archived), is_archived=False)

    for number in range(2):
        create("persons", "/api/v2/persons", name=f"new person {number}")
    persons = ids("persons")
    for number in range(3):
        change("persons", "/api/v2/persons", next(persons), name=f"edited person {number}")
    change("organizations", "/api/v2/organizations", next(ids("organizations")), name="edited org")
    create("activities", "/api/v2/activities", subject="new activity")
    change("products", "/api/v2/products", next(ids("products")), name="edited product")

    notes = ids("notes")
    change("notes", "/api/v1/notes", next(notes), "PUT", content="edited note, ünïcödé ✓")
    create("notes", "/api/v1/notes", content="new note", deal_id=next(deals))
    delete("/api/v1/notes", next(notes))
    leads = ids("leads", lambda lead: not lead["is_archived"])
    change("leads", "/api/v1/leads", next(leads), title="edited lead")
    change("leads", "/api/v1/leads", next(leads), is_archived=True)
    create("leads", "/api/v1/leads", title="new lead", person_id=next(persons))
    return expected
