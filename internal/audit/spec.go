package audit

func judgeSpec(r *Report, name string, text []byte, o Options) error { return nil }
