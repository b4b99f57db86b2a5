#!/usr/bin/env bash
# sbom.sh ASSETS VERSION EXECUTABLE: the software bill of materials (SPDX 2.3, JSON) of an executable, from the package graph that its build resolved
# (obj/project.assets.json: every package with its hash and what it depends on; the licences from the packages' own descriptions).
set -euo pipefail
assets=$1 version=$2 executable=$3
folder=$(jq -r '.packageFolders | keys[0]' "$assets")
digest=$(sha256sum "$executable" | cut -d' ' -f1)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%dT%H:%M:%SZ)

# Name, version, hash and licence of each package that is compiled in or compiles.
licences=$(
    jq -r '.libraries | to_entries[] | select(.value.type == "package") | [.key, .value.path, .value.sha512] | @tsv' "$assets" |
        while IFS=$'\t' read -r key path hash; do
            nuspec=$(find "${folder%/}/$path" -maxdepth 1 -name '*.nuspec' | head -1)
            licence=$(sed -n 's:.*<license type="expression">\([^<]*\)</license>.*:\1:p' "$nuspec" | head -1)
            printf '%s\t%s\t%s\n' "$key" "$(base64 -d <<<"$hash" | od -An -v -tx1 | tr -d ' \n')" "${licence:-NOASSERTION}"
        done | jq -R -s 'split("\n") | map(select(length > 0) | split("\t") | {key: .[0], value: {hash: .[1], licence: .[2]}}) | from_entries'
)

jq -S --arg version "$version" --arg digest "$digest" --arg created "$created" --argjson facts "$licences" '
    def id: "SPDXRef-" + gsub("[^A-Za-z0-9.-]"; "-");
    ([.targets | to_entries[] | select(.key | contains("/")) | .value] | add) as $target
    | [$target | to_entries[] | select(.value.type == "package")] as $packages
    | [.project.frameworks[].downloadDependencies[]? | {name, version: (.version | ltrimstr("[") | split(",")[0])}] as $packs
    | {
        spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: "weft-\($version)",
        documentNamespace: "https://weft.invalid/spdx/\($digest)",
        creationInfo: {created: $created, creators: ["Tool: weft packaging/sbom.sh"]},
        packages: ([{
            name: "weft", SPDXID: "SPDXRef-weft", versionInfo: $version, downloadLocation: "NOASSERTION", filesAnalyzed: false,
            licenseConcluded: "Apache-2.0", licenseDeclared: "Apache-2.0", copyrightText: "NOASSERTION", primaryPackagePurpose: "APPLICATION",
            checksums: [{algorithm: "SHA256", checksumValue: $digest}]
        }] + [$packages[] | .key as $key | ($key | split("/")) as [$name, $v] | {
            name: $name, SPDXID: ($key | id), versionInfo: $v, downloadLocation: "NOASSERTION", filesAnalyzed: false,
            licenseConcluded: $facts[$key].licence, licenseDeclared: $facts[$key].licence, copyrightText: "NOASSERTION",
            checksums: [{algorithm: "SHA512", checksumValue: $facts[$key].hash}],
            externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: "pkg:nuget/\($name)@\($v)"}]
        }] + [$packs[] | {
            name, SPDXID: ("\(.name)/\(.version)" | id), versionInfo: .version, downloadLocation: "NOASSERTION", filesAnalyzed: false,
            licenseConcluded: "MIT", licenseDeclared: "MIT", copyrightText: "NOASSERTION",
            externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: "pkg:nuget/\(.name)@\(.version)"}]
        }] | unique_by(.SPDXID)),
        relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-weft"}]
            + [$packages[] | {spdxElementId: "SPDXRef-weft", relationshipType: "DEPENDS_ON", relatedSpdxElement: (.key | id)}]
            + [$packs[] | {spdxElementId: ("\(.name)/\(.version)" | id), relationshipType: "BUILD_TOOL_OF", relatedSpdxElement: "SPDXRef-weft"}]
            + [$packages[] | .key as $key | (.value.dependencies // {} | keys[]) as $dependency
                | ($packages[] | select((.key | split("/")[0] | ascii_downcase) == ($dependency | ascii_downcase)) | .key) as $found
                | {spdxElementId: ($key | id), relationshipType: "DEPENDS_ON", relatedSpdxElement: ($found | id)}] | unique)
    }' "$assets"
