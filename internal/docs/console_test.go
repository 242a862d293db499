package docs

import "testing"

// TestGuideRules: what a document shows is told from what it does not.
func TestGuideRules(t *testing.T) {
	parts, err := Parse("a.md", "```yaml a.yaml\nx\n```\n```console\nedge# f -x # exit 3\na  3 up 00:00:09\n...\nb ... c\nedge# g\n```\n```console not-run\nedge# h\n```\n")
	if err != nil || len(parts) != 4 || parts[0].File != "a.yaml" || parts[1].Command != "f -x" || parts[1].Status != 3 || parts[2].Command != "g" || !parts[3].NotRun {
		t.Fatalf("%+v, %v", parts, err)
	}
	for out, same := range map[string]bool{
		"a 3 up 00:10:00\nb and  c": true, "b and c\n\n  a 3   up 01:00:00\nmore": true,
		"a 4 up 00:00:09\nb and c": false, "a 3 up 00:00:09\nb and c d": false, "a 3 up 00:00:09": false,
	} {
		if err := parts[1].Matches(out); (err == nil) != same {
			t.Errorf("%q: %v", out, err)
		}
	}
	for _, bad := range []string{"```console\nno command\n```\n", "```console\nedge# f\n", "```yaml\nx\n```\n", "```sh\nmake\n```\n", "a\n\n    make demo\n"} {
		if _, err := Parse("a.md", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestBlocks: fences, marks, comments, lists and indented blocks are told apart.
func TestBlocks(t *testing.T) {
	blocks, err := Blocks("a.md", "<!--\n  ```sh\n-->\n# h\n\n    make x\n\ntext\n<!-- not-run: by hand -->\n```sh\nmake y\n```\n- item\n\n      of the list\n\n  ```console\n  a# b\n  ```\n\n```console not-run: takes hours\na# c\n```\n````\n```\n````\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 6, Indented: true, Text: "make x\n"},
		{Line: 11, Kind: "sh", NotRun: true, Why: "by hand", Text: "make y\n"},
		{Line: 18, Kind: "console", Text: "a# b\n"},
		{Line: 22, Kind: "console", Info: "not-run: takes hours", NotRun: true, Why: "takes hours", Text: "a# c\n"},
		{Line: 25, Text: "```\n"},
	}
	if len(blocks) != len(want) {
		t.Fatalf("%d blocks: %+v", len(blocks), blocks)
	}
	for i := range want {
		if blocks[i] != want[i] {
			t.Errorf("block %d: got %+v, want %+v", i, blocks[i], want[i])
		}
	}
	for i, commands := range []bool{true, true, true, true, false} {
		if blocks[i].IsCommands() != commands {
			t.Errorf("block %d: commands: %v", i, !commands)
		}
	}
}
