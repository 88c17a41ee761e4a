package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	docker "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	admission "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/hardpan/hardpan/internal/profile"
	"github.com/hardpan/hardpan/internal/profile/profiletest"
)

// document returns a document of the profile of a case.
func document(t *testing.T, c profiletest.Case, name string) ([]byte, *profile.Profile) {
	t.Helper()
	p, err := profile.Of(t.Context(), profiletest.Image(t, c), profile.Options{Key: []byte(profiletest.Key)})
	if err != nil {
		t.Fatal(err)
	}
	format, ok := profile.FormatOf(name)
	if !ok {
		t.Fatalf("there is no format %s", name)
	}
	b, err := p.Write(format)
	if errors.Is(err, profile.ErrNoSeccomp) && p.Facts.Platform == "linux/s390x" {
		return nil, p
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, p
}

func each(t *testing.T, format string, f func(*testing.T, []byte, *profile.Profile)) {
	for _, c := range profiletest.Cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if b, p := document(t, c, format); b != nil {
				f(t, b, p)
			}
		})
	}
}

// objects decodes YAML documents as an API server with strict field validation does.
func objects(t *testing.T, b []byte) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, node.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var list []runtime.Object
	for docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b))); ; {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		o, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		list = append(list, o)
	}
}

// Pods are admitted to a namespace that enforces the Pod Security Standard restricted.
func TestKubernetes(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := admission.LevelVersion{Level: admission.LevelRestricted, Version: admission.LatestVersion()}
	each(t, "kubernetes", func(t *testing.T, b []byte, p *profile.Profile) {
		list := objects(t, b)
		d, ok := list[0].(*apps.Deployment)
		if !ok || len(list) != 1 {
			t.Fatalf("%d objects, the first a %T, expected a Deployment", len(list), list[0])
		}
		template := d.Spec.Template
		if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)); !result.Allowed {
			t.Errorf("not admitted: %s", result.ForbiddenDetail())
		}
		if got, want := template.Labels, d.Spec.Selector.MatchLabels; len(want) == 0 || got["app.kubernetes.io/name"] != want["app.kubernetes.io/name"] {
			t.Errorf("labels %v, the selector has %v", got, want)
		}
		container := template.Spec.Containers[0]
		if ctx := container.SecurityContext; ctx.ReadOnlyRootFilesystem == nil || !*ctx.ReadOnlyRootFilesystem {
			t.Error("the root is not read-only")
		}
		mounted := map[string]string{}
		for _, m := range container.VolumeMounts {
			mounted[m.Name] = m.MountPath
		}
		var paths []string
		for _, v := range template.Spec.Volumes {
			if v.EmptyDir == nil {
				t.Errorf("volume %s is no emptyDir", v.Name)
			}
			paths = append(paths, mounted[v.Name])
		}
		if !slices.Equal(paths, p.Facts.Writable) {
			t.Errorf("mounted are %v, expected %v", paths, p.Facts.Writable)
		}
		if m := p.Facts.Memory; container.Resources.Limits.Memory().Value() != m {
			t.Errorf("limit of memory %v, expected %d", container.Resources.Limits.Memory(), m)
		}
		if m := int64(p.Facts.CPUs * 1000); container.Resources.Limits.Cpu().MilliValue() != m {
			t.Errorf("limit of processors %v, expected %dm", container.Resources.Limits.Cpu(), m)
		}
		if len(container.Ports) != len(p.Facts.Ports)+len(p.Facts.Internal) {
			t.Errorf("ports %v", container.Ports)
		}
	})
}

// The evaluator refuses: without any of these members a pod is not admitted.
func TestRestrictedRefuses(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := admission.LevelVersion{Level: admission.LevelRestricted, Version: admission.LatestVersion()}
	b, _ := document(t, profiletest.Cases(t)[0], "kubernetes")
	for name, spoil := range map[string]func(*core.PodSpec){
		"runAsNonRoot":             func(s *core.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"seccompProfile":           func(s *core.PodSpec) { s.SecurityContext.SeccompProfile = nil },
		"allowPrivilegeEscalation": func(s *core.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
		"capabilities":             func(s *core.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil },
	} {
		d := objects(t, b)[0].(*apps.Deployment)
		spoil(&d.Spec.Template.Spec)
		if policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec)).Allowed {
			t.Errorf("admitted without %s", name)
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	each(t, "networkpolicy", func(t *testing.T, b []byte, p *profile.Profile) {
		open, internal, denied := 0, 0, false
		for _, o := range objects(t, b) {
			n, ok := o.(*networking.NetworkPolicy)
			if !ok {
				t.Fatalf("a %T", o)
			}
			if len(n.Spec.Ingress) == 0 && len(n.Spec.Egress) == 0 {
				denied = slices.Equal(n.Spec.PolicyTypes, []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress})
			}
			for _, rule := range n.Spec.Ingress {
				if len(rule.From) == 0 {
					open += len(rule.Ports)
				} else {
					internal += len(rule.Ports)
				}
			}
			if len(n.Spec.Egress) > 0 {
				t.Errorf("%s lets something out", n.Name)
			}
		}
		if !denied || open != len(p.Facts.Ports) || internal != len(p.Facts.Internal) {
			t.Errorf("denied %v, %d open and %d internal ports, expected %v and %v", denied, open, internal, p.Facts.Ports, p.Facts.Internal)
		}
	})
}

func TestGVisor(t *testing.T) {
	each(t, "gvisor", func(t *testing.T, b []byte, _ *profile.Profile) {
		if c, ok := objects(t, b)[0].(*node.RuntimeClass); !ok || c.Handler != "runsc" {
			t.Errorf("%+v", c)
		}
	})
}

// Compose files pass the schema of the Compose specification and load.
func TestCompose(t *testing.T) {
	each(t, "compose", func(t *testing.T, b []byte, p *profile.Profile) {
		project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
			WorkingDir: t.TempDir(), ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: b}},
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		s, err := project.GetService(p.Facts.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("service %+v", s)
		}
		if int64(s.MemLimit) != p.Facts.Memory || int(s.PidsLimit) != p.Facts.Processes || float64(s.CPUS) != float64(float32(p.Facts.CPUs)) {
			t.Errorf("memory %v, processes %v, processors %v", s.MemLimit, s.PidsLimit, s.CPUS)
		}
		if len(s.Tmpfs) != len(p.Facts.Writable) || len(s.Ports) != len(p.Facts.Ports) || len(s.Expose) != len(p.Facts.Internal) {
			t.Errorf("tmpfs %v, ports %v, exposed %v", s.Tmpfs, s.Ports, s.Expose)
		}
	})
}

// Docker reads the seccomp profile into the OCI runtime spec's form, and that form
// itself reads it without a member left over, as containerd does.
func TestSeccomp(t *testing.T) {
	each(t, "seccomp", func(t *testing.T, b []byte, p *profile.Profile) {
		got, err := docker.LoadProfile(string(b), &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
		if err != nil {
			t.Fatal(err)
		}
		allowed := map[string]bool{}
		for _, s := range got.Syscalls {
			for _, name := range s.Names {
				if s.Action == specs.ActAllow {
					allowed[name] = true
				}
			}
		}
		if got.DefaultAction != specs.ActErrno || len(allowed) != p.Seccomp.Allowed {
			t.Errorf("%d calls allowed, the default is %s, expected %d and an error", len(allowed), got.DefaultAction, p.Seccomp.Allowed)
		}
		var oci specs.LinuxSeccomp
		strict := json.NewDecoder(bytes.NewReader(b))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&oci); err != nil {
			t.Fatal(err)
		}
		if len(oci.Syscalls) != len(got.Syscalls) || !slices.Equal(oci.Architectures, got.Architectures) {
			t.Errorf("containerd would read %d rules for %v, Docker %d for %v", len(oci.Syscalls), oci.Architectures, len(got.Syscalls), got.Architectures)
		}
		// Nothing that Docker's own profile refuses is allowed.
		own, err := docker.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range own.Syscalls {
			for _, name := range s.Names {
				if s.Action == specs.ActAllow {
					delete(allowed, name)
				}
			}
		}
		if len(allowed) > 0 {
			t.Errorf("allowed, and not by Docker's default profile: %v", allowed)
		}
	})
}
