package profile

import (
	"fmt"
	"strconv"
	"strings"
)

// nameLabel is the label that Kubernetes recommends for the name of an application.
const nameLabel = "app.kubernetes.io/name"

// securityName is what the AppArmor profile is called, and the file of the seccomp
// profile without its suffix.
func (f *Facts) securityName() string { return "hardpan-" + f.Name }

// kubernetes writes a Deployment (apps/v1) whose pods the Pod Security Standard
// restricted admits (kubernetes.io/docs/concepts/security/pod-security-standards).
func (p *Profile) kubernetes() ([]byte, error) {
	f := p.Facts
	labels := object{{nameLabel, f.Name}}
	doc := object{
		{"apiVersion", "apps/v1"}, {"kind", "Deployment"},
		{"metadata", object{{"name", f.Name}, {"labels", labels}}},
		{"spec", object{
			{"replicas", 1},
			{"selector", object{{"matchLabels", labels}}},
			{"template", object{{"metadata", object{{"labels", labels}}}, {"spec", p.pod()}}},
		}},
	}
	comments := p.comments("Meets the Pod Security Standard restricted.")
	if p.Seccomp != nil {
		comments += "# Each node has seccomp.json as seccomp/hardpan/" + f.securityName() + ".json in the kubelet's directory, for its architecture.\n"
	}
	comments += "# Each node has loaded apparmor.profile; leave out appArmorProfile where nodes have no AppArmor.\n"
	if f.Processes > 0 {
		comments += fmt.Sprintf("# Processes are limited by the kubelet (podPidsLimit): at least %d.\n", f.Processes)
	}
	return documents(comments, doc)
}

func (p *Profile) pod() object {
	f := p.Facts
	context := object{{"runAsNonRoot", true}}
	if f.User != nil {
		context = append(context, member{"runAsUser", f.User.UID}, member{"runAsGroup", f.User.GID},
			member{"fsGroup", f.User.GID}, member{"fsGroupChangePolicy", "OnRootMismatch"})
	}
	context = append(context, member{"seccompProfile", p.seccompProfile()})
	var volumes list
	for i := range f.Writable {
		volumes = append(volumes, object{{"name", volumeName(i)}, {"emptyDir", empty{}}})
	}
	return object{
		{"automountServiceAccountToken", false},
		{"enableServiceLinks", false},
		{"securityContext", context},
		{"containers", list{p.container()}},
		{"volumes", volumes},
	}
}

func volumeName(i int) string { return "writable-" + strconv.Itoa(i+1) }

func (p *Profile) seccompProfile() object {
	if p.Seccomp == nil {
		return object{{"type", "RuntimeDefault"}}
	}
	return object{{"type", "Localhost"}, {"localhostProfile", "hardpan/" + p.Facts.securityName() + ".json"}}
}

func (p *Profile) container() object {
	f := p.Facts
	var ports, mounts list
	for _, port := range append(append([]Port{}, f.Ports...), f.Internal...) {
		ports = append(ports, object{{"containerPort", port.Number}, {"protocol", strings.ToUpper(port.Protocol)}})
	}
	for i, path := range f.Writable {
		mounts = append(mounts, object{{"name", volumeName(i)}, {"mountPath", path}})
	}
	return object{
		{"name", f.Name}, {"image", f.Reference},
		{"ports", ports},
		{"securityContext", object{
			{"allowPrivilegeEscalation", false},
			{"privileged", false},
			{"readOnlyRootFilesystem", true},
			{"capabilities", object{{"drop", list{"ALL"}}}},
			{"appArmorProfile", object{{"type", "Localhost"}, {"localhostProfile", f.securityName()}}},
		}},
		{"resources", f.resources()},
		{"livenessProbe", f.livenessProbe()},
		{"volumeMounts", mounts},
	}
}

// resources asks for what the image is to be given, and limits it to that.
func (f *Facts) resources() object {
	var amount object
	if f.CPUs > 0 {
		amount = append(amount, member{"cpu", fmt.Sprintf("%dm", int64(f.CPUs*1000))})
	}
	if f.Memory > 0 {
		amount = append(amount, member{"memory", strconv.FormatInt(f.Memory, 10)})
	}
	if amount == nil {
		return nil
	}
	return object{{"requests", amount}, {"limits", amount}}
}

// livenessProbe is the image's health check, with Docker's defaults.
func (f *Facts) livenessProbe() object {
	command := f.health()
	if command == nil {
		return nil
	}
	h := f.Healthcheck
	retries := h.Retries
	if retries <= 0 {
		retries = 3
	}
	return object{
		{"exec", object{{"command", stringsOf(command)}}},
		{"initialDelaySeconds", seconds(h.StartPeriod, 0)},
		{"periodSeconds", seconds(h.Interval, 30)},
		{"timeoutSeconds", seconds(h.Timeout, 30)},
		{"failureThreshold", retries},
	}
}

// gvisor writes a RuntimeClass (node.k8s.io/v1), which a pod names in runtimeClassName.
func (p *Profile) gvisor() ([]byte, error) {
	comments := "# Pods that set runtimeClassName: gvisor run in gVisor, on nodes whose runtime has the handler runsc.\n" +
		"# gVisor makes system calls of its own: the seccomp profile is for pods without it, and then RuntimeDefault is right.\n"
	return documents(comments, object{
		{"apiVersion", "node.k8s.io/v1"}, {"kind", "RuntimeClass"},
		{"metadata", object{{"name", "gvisor"}}},
		{"handler", "runsc"},
		{"overhead", nil},
	})
}

// internalLabel is what pods have that may reach an image's internal ports; its value
// is the image's name.
const internalLabel = "dev.hardpan.run/internal-client"

// network writes NetworkPolicies (networking.k8s.io/v1): one that denies everything, and
// one for each kind of port.
func (p *Profile) network() ([]byte, error) {
	f := p.Facts
	selector := object{{"matchLabels", object{{nameLabel, f.Name}}}}
	policy := func(suffix string, spec object) object {
		return object{
			{"apiVersion", "networking.k8s.io/v1"}, {"kind", "NetworkPolicy"},
			{"metadata", object{{"name", f.Name + suffix}, {"labels", object{{nameLabel, f.Name}}}}},
			{"spec", append(object{{"podSelector", selector}}, spec...)},
		}
	}
	docs := []any{policy("-default-deny", object{{"policyTypes", list{"Ingress", "Egress"}}})}
	if len(f.Ports) > 0 {
		docs = append(docs, policy("-ports", object{
			{"policyTypes", list{"Ingress"}},
			{"ingress", list{object{{"ports", networkPorts(f.Ports)}}}},
		}))
	}
	if len(f.Internal) > 0 {
		docs = append(docs, policy("-internal", object{
			{"policyTypes", list{"Ingress"}},
			{"ingress", list{object{
				{"from", list{object{
					{"namespaceSelector", empty{}},
					{"podSelector", object{{"matchLabels", object{{internalLabel, f.Name}}}}},
				}}},
				{"ports", networkPorts(f.Internal)},
			}}},
		}))
	}
	comments := p.comments("Nothing comes in but to the declared ports; nothing goes out.") +
		"# Unknown: where it connects to. Add what it needs (its database, DNS) as a policy of egress.\n"
	if len(f.Internal) > 0 {
		comments += "# To the internal ports come pods with the label " + internalLabel + ": " + f.Name + ", of any namespace.\n"
	}
	return documents(comments, docs...)
}

func networkPorts(ports []Port) list {
	var l list
	for _, p := range ports {
		l = append(l, object{{"protocol", strings.ToUpper(p.Protocol)}, {"port", p.Number}})
	}
	return l
}
