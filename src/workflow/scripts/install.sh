mkdir -p "$RUNNER_TEMP/lakegen"
archive="$RUNNER_TEMP/lakegen.tar.gz"
curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$archive" "$ARCHIVE_URL"
echo "$ARCHIVE_SHA256  $archive" | sha256sum --check --strict --quiet
tar --extract --gzip --file "$archive" --directory "$RUNNER_TEMP/lakegen" --strip-components 1
version=$("$RUNNER_TEMP/lakegen/lakegen" --version)
test "$version" = "lakegen $ARCHIVE_VERSION" || { echo "the archive holds $version, the blueprint says $ARCHIVE_VERSION" >&2; exit 1; }
echo "$RUNNER_TEMP/lakegen" >> "$GITHUB_PATH"
