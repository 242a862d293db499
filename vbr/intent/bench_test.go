package intent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/vbr/intent"
)

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		docs, _ := intent.Parse("f", []byte(base))
		intent.Build(docs)
	}
}

// BenchmarkLoadMany reads 2,000 VBRs from one file.
func BenchmarkLoadMany(b *testing.B) {
	var text strings.Builder
	text.WriteString("kind: PhysicalConnection\nname: pc-1\ndevice: eth1\n---\n")
	for i := range 2000 {
		one := strings.NewReplacer("vbr-beta", fmt.Sprintf("vbr-%d", i), "ri-beta", fmt.Sprintf("ri-%d", i), "vlan_id: 200", fmt.Sprintf("vlan_id: %d", i+1),
			"10007", fmt.Sprint(20000+i), "vni: 5002", fmt.Sprintf("vni: %d", i+1), "64600:5002", fmt.Sprintf("64600:%d", i+1)).Replace(beta)
		text.WriteString(one)
	}
	for b.Loop() {
		docs, _ := intent.Parse("f", []byte(text.String()))
		if in, problems := intent.Build(docs); in == nil {
			b.Fatal(problems[0])
		}
	}
}
