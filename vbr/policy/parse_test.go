package policy

import (
	"strings"
	"testing"
)

func TestParsePrefixRange(t *testing.T) {
	for _, tt := range []struct{ text, want, wrong string }{
		{"10.0.0.0/8", "10.0.0.0/8", ""},
		{" 10.0.0.0/8  le 24 ", "10.0.0.0/8 ge 8 le 24", ""},
		{"10.0.0.0/8 ge 16", "10.0.0.0/8 ge 16 le 32", ""},
		{"10.0.0.0/8 le 24 ge 16", "10.0.0.0/8 ge 16 le 24", ""},
		{"2001:db8::/32 orlonger", "2001:db8::/32 orlonger", ""},
		{"0.0.0.0/0 le 32", "0.0.0.0/0 orlonger", ""},
		{"192.0.2.1/32 orlonger", "192.0.2.1/32", ""},
		{"", "", "no prefix"},
		{"10.0.0.1/8", "", "host bits"},
		{"::ffff:10.0.0.0/104", "", "host bits"},
		{"10.0.0.0/8 ge", "", "needs a length"},
		{"10.0.0.0/8 ge 7", "", "8 to 32"},
		{"10.0.0.0/8 le 33", "", "8 to 32"},
		{"10.0.0.0/8 ge 24 le 16", "", "more than le"},
		{"10.0.0.0/8 ge 9 ge 10", "", "each once"},
		{"10.0.0.0/8 longer 9", "", "legal: ge, le"},
		{"10.0.0.0/8 orlonger ge 9", "", "is no length"},
	} {
		r, err := ParsePrefixRange(tt.text)
		switch {
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%q: %v, want %q", tt.text, err, tt.wrong)
		case tt.wrong == "" && (err != nil || r.String() != tt.want):
			t.Errorf("%q: %s, %v; want %s", tt.text, r, err, tt.want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, tt := range []struct{ text, wrong string }{
		{"^65001( [0-9]+)*$", ""}, {"_(65001|65002)_", ""}, {"^$", ""}, {".*", ""}, {"^[1-9][0-9]{3,4}_", ""},
		{"", "1..256"}, {strings.Repeat("1", 257), "1..256"}, {`\d+`, "character at 1"}, {"65001;", "character at 6"},
		{"[_]", "_ inside"}, {"(65001", "not a regular expression"}, {"1{1001}", "not a regular expression"},
		{"^(65[0-9]{3} ){1,100}$", ""}, {"_65[0-9]{3}_.*_64[0-9]{3}_", ""}, {".{1000}.{998}", ""}, {".{1000}.{1000}", "2001 characters with its repeats written out, and at most 2000 are legal"},
		{strings.Repeat(".{1000}", 36), "at most 2000"}, {strings.Repeat("(.{0,31}", 16) + strings.Repeat(")", 16) + "{31}", "at most 2000"},
	} {
		_, err := ParsePath(tt.text)
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%.20q: %v, want %q", tt.text, err, tt.wrong)
		}
	}
}

func TestParseCommunities(t *testing.T) {
	for _, bad := range []string{"", "1", "1:2:3", "65536:1", "1:65536", "a:b", "-1:1", "noexport", "**:1"} {
		if _, err := ParseCommunityPattern(bad); err == nil {
			t.Errorf("%q is taken for a community", bad)
		}
	}
	for _, bad := range []string{"", "1:2", "1:2:3:4", "4294967296:1:1", "*:x:1"} {
		if _, err := ParseLargePattern(bad); err == nil {
			t.Errorf("%q is taken for a large community", bad)
		}
	}
	if c, err := ParseCommunity("blackhole"); err != nil || c != 65535<<16|666 {
		t.Errorf("blackhole: %d, %v", c, err)
	}
	if _, err := ParseCommunity("65001:*"); err == nil {
		t.Error("65001:* is taken for a single community")
	}
	if _, err := ParseLarge("1:*:3"); err == nil {
		t.Error("1:*:3 is taken for a single community")
	}
	if c, err := ParseLarge("4200000001:0:7300"); err != nil || c != [3]uint32{4200000001, 0, 7300} {
		t.Errorf("%v, %v", c, err)
	}
}

func TestParseSegments(t *testing.T) {
	for text, want := range map[string]string{"": "", "65001  65010": "65001 65010", "1 {2,3} 4": "1 {2,3} 4", "1,2": "wrong", "{1": "wrong", "x": "wrong", "4294967296": "wrong"} {
		got := "wrong"
		if path, err := ParseSegments(text); err == nil {
			got = string(AppendPath(nil, path))
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzParse: no text makes the parsers panic, and what a range prints it reads again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8 ge 16 le 24", "::/0 orlonger", "_65001_", "^(1|2)+$", "65001:*", "no-export", "1:*:3", "[_]", "{1,2}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParsePrefixRange(s); err == nil {
			again, err := ParsePrefixRange(r.String())
			if err != nil || again != r {
				t.Errorf("%q: %s is read as %s, %v", s, r, again, err)
			}
			if r.Ge > r.Le || int(r.Ge) < r.Prefix.Bits() || int(r.Le) > r.Prefix.Addr().BitLen() {
				t.Errorf("%q: %+v", s, r)
			}
		}
		if re, err := ParsePath(s); err == nil {
			re.MatchString("65001 65010 {65020,65021} (64512 64513) [1,2]")
		}
		_, _ = ParseCommunityPattern(s)
		_, _ = ParseLargePattern(s)
		if path, err := ParseSegments(s); err == nil {
			text := string(AppendPath(nil, path))
			if again, err := ParseSegments(text); err != nil || string(AppendPath(nil, again)) != text {
				t.Errorf("%q: %q is read as %v, %v", s, text, again, err)
			}
		}
	})
}
