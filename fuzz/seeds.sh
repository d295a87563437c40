#!/usr/bin/env bash
# Writes the seeds of every fuzz target below a folder: a few tiny inputs each, all invented here.
#
#   fuzz/seeds.sh FOLDER
set -euo pipefail

corpus=${1:?a folder for the corpora}
mkdir -p "$corpus"/{page,manifest,bundle,state}

# put TARGET NAME CONTENT
put() { printf '%b' "$3" >"$corpus/$1/$2"; }

# The first byte of a page chooses its list.
deal='{"id":1,"title":"A","value":1.50,"currency":"EUR","status":"open","add_time":"2026-01-01T00:00:00Z","update_time":"2026-01-02T00:00:00Z","custom_fields":{"0123456789abcdef0123456789abcdef01234567":[1,null,"x"]}}'
for list in 00 01 07 0a 10 1b 20 2f 3c; do
    put page "cursor-$list" "\\x$list{\"success\":true,\"data\":[$deal],\"additional_data\":{\"next_cursor\":\"abc\"}}"
    put page "offset-$list" "\\x$list{\"success\":true,\"data\":[$deal,{\"id\":2}],\"additional_data\":{\"pagination\":{\"start\":0,\"limit\":2,\"more_items_in_collection\":true,\"next_start\":2}}}"
    put page "empty-$list" "\\x$list{\"success\":true,\"data\":null,\"additional_data\":{\"next_cursor\":null}}"
    put page "refused-$list" "\\x$list{\"success\":false,\"error\":\"no\",\"error_info\":\"why\"}"
done
put page goals '\x2f{"success":true,"data":{"goals":[{"id":"a","title":"t"}]}}'
put page number '\x00{"success":true,"data":[{"id":123456789012345678901234567890,"value":1e999}]}'
put page html '\x00<!DOCTYPE html><title>no</title>'

settled='{"delivered":{"42":"9f3a6c0d12b45e78"},"records":18402,"since":"2026-03-04T09:10:02Z","update_time":"2026-03-04T09:11:02Z","version":1}'
listings='{"listings":{"archived":{"since":"2026-03-01T00:00:00Z","update_time":"2026-03-01T00:01:00Z"},"live":{"since":"2026-03-04T09:10:02Z"}},"records":5120,"version":1}'
walking='{"records":500,"version":1,"walk":{"cursor":"eyJpZCI6NTAwfQ","since":"2026-03-04T09:11:02Z"}}'
full='{"full_refresh":true,"__ab_full_refresh_sync_complete":true,"records":1,"version":1}'
put state airbyte "[{\"type\":\"STREAM\",\"stream\":{\"stream_descriptor\":{\"name\":\"deals\"},\"stream_state\":$listings}}]"
put state singer "{\"type\":\"STATE\",\"value\":{\"bookmarks\":{\"persons\":$settled,\"stages\":$full}}}"
put state sealed "{\"bookmarks\":{\"persons\":{\"seal\":\"0123456789abcdef\",\"since\":\"2026-03-04T09:10:02Z\",\"version\":1}}}"
put state warehouse "{\"version\":1,\"streams\":{\"products\":$walking,\"notes\":$walking}}"
put state foreign '[{"type":"STREAM","stream":{"stream_descriptor":{"name":"persons","namespace":null},"stream_state":{"update_time":"2026-11-01T12:00:00Z"}}}]'

sum=13de62fe76012600edae62eacef873f412ae6d1ed8fb374297c5d8164c2ab54b
put manifest backup '{"version":1,"tool":"t","account":{"company_id":1,"company_domain":"d","user_id":1,"admin":true,"scopes":[]},"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:01:00Z","resources":["stages"],"include":["file_contents"],"completed":["stages"],"counts":{"stages":1},"files":{"stages":{"bytes":14,"rows":1,"sha256":"'$sum'","endpoint":["/api/v2/stages"],"read_from":"2026-01-01T00:00:00Z","read_until":"2026-01-01T00:01:00Z"}},"failed":{},"in_progress":{},"complete":true}'
put manifest growing '{"version":1,"tool":"t","resources":["stages"],"completed":[],"in_progress":{"stages":{"path":"stages.json","bytes":14,"rows":1,"sha256":"'$sum'","read_from":"2026-01-01T00:00:00Z","state":{"version":1}}},"failed":{"notes":{"error":"refused","message":"m","runs":1}},"next":{"resources":["stages"],"completed":[]}}'
put manifest seed '{"completed":["stages"],"counts":{"stages":1},"complete":true}'
put manifest warehouse '{"version":1,"format":"ndjson","compression":"none","custom_fields":"hash","account":{"company_id":1,"company_domain":"d","user_id":1,"admin":true,"scopes":[]},"streams":{"stages":{"version":1,"full":true,"complete":true}},"files":{"stages":[{"path":"stages.ndjson","bytes":9,"rows":1}]},"indexes":{"stages":"_keys/stages-r-00001.json"},"updated_at":"2026-01-01T00:00:00Z","stamp":"2026-01-01T00:00:00Z","complete":true}'

head='"version":"1","exported_at":"2026-01-01T00:00:00Z","organization_id":"pipedrive:1"'
rows='"accounts":[{"public_id":"a1","name":"A"}],"contacts":[{"public_id":"c1","account_public_id":"a1","first_name":"F"}],"opportunities":[{"public_id":"o1","name":"O","account_public_id":"a1","status":"open","amount":"1.50"}],"leads":[{"public_id":"l1","title":"L"}],"activities":[{"public_id":"v1","subject":"S","parent_public_id":"o1","parent_type":"opportunity"}]'
put bundle whole "{$head,$rows}"
put bundle bare "{$head,\"accounts\":[],\"contacts\":[],\"opportunities\":[],\"leads\":[],\"activities\":[]}"
put bundle twice "{$head,\"accounts\":[{\"public_id\":\"a\"},{\"public_id\":\"a\"}],\"contacts\":[{\"public_id\":\"c\",\"account_public_id\":\"z\"}]}"
put bundle side-car "{$head,$rows}\\0{\"version\":1,\"tool\":\"t\",\"bundle\":{\"sha256\":\"0\",\"bytes\":1},\"source\":{\"system\":\"pipedrive\",\"from\":\"account\",\"company_id\":1},\"pipelines\":[{\"id\":1,\"name\":\"P\",\"stages\":[{\"id\":1,\"name\":\"S\"}]}]}"
