/** The service's words are for programs and the command line too; here they are turned to what stands on the page. */

const ON_THE_PAGE: readonly [RegExp, string][] = [
  [/, or say it by kind in Upload-Metadata/g, ": rename it so that it ends like one of these"],
  [/ \(--no-study hears none\)/g, " (a review without “Use the study” hears none)"],
  [/leave it out with --no-study/g, "leave out “Use the study”"],
  [/say --partial-mesh/g, "review it from the command line with --partial-mesh"],
  [/name one of those that are there with --displacement/g, "write it under the usual name, or review from the command line with --displacement NAME"],
  [/, or name a CSV table with --parameters/g, ""],
  [/see `crumple suggest --help` and the README/g, "see README.md, Suggestions"],
  // Nobody knows things by their ids on the page.
  [/ [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?= cannot be deleted:)/g, ""],
  [/(?<= cannot be deleted: .*)((?:finished )?review|live test|suggestion) [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "a $1"],
  [/(?<= cannot be deleted: .*)upload [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "an upload"],
  [/; \/api\/docs lists what there is/g, ""],
];

export const onThePage = (text: string) => ON_THE_PAGE.reduce((said, [from, to]) => said.replace(from, to), text);
