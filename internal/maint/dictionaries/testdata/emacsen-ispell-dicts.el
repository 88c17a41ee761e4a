;;; This file is part of the dictionaries-common package.
;;; It has been automatically generated.
;;; DO NOT EDIT!

;; Adding hunspell dicts

(add-to-list 'debian-hunspell-only-dictionary-alist
  '("xx"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[']"
     nil
     ("-d" "xx")
     nil
     utf-8))
(add-to-list 'debian-hunspell-only-dictionary-alist
  '("two"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[\"]"
     t
     ("-C" "-B" "-d" "xx")
     nil
     nil))
(add-to-list 'debian-hunspell-only-dictionary-alist
  '("one"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[\"]"
     t
     ("-C" "-B" "-d" "xx")
     nil
     nil))
(add-to-list 'debian-hunspell-only-dictionary-alist
  '("german8"
     "[a-zA-Z\351\374]"
     "[^a-zA-Z\351\374]"
     "['-]"
     nil
     ("-d" "de_DE")
     nil
     iso-8859-1))
(add-to-list 'debian-hunspell-only-dictionary-alist
  '("english_american"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[']"
     nil
     ("-d" "en_US")
     nil
     utf-8))
(add-to-list 'debian-hunspell-only-dictionary-alist
  '("american"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[']"
     nil
     ("-d" "en_US")
     nil
     utf-8))


;; Adding enchant dicts

(add-to-list 'debian-enchant-only-dictionary-alist
  '("two"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[\"]"
     t
     ("-C" "-B" "-d" "xx")
     nil
     nil))
(add-to-list 'debian-enchant-only-dictionary-alist
  '("one"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[\"]"
     t
     ("-C" "-B" "-d" "xx")
     nil
     nil))
(add-to-list 'debian-enchant-only-dictionary-alist
  '("german8"
     "[a-zA-Z\351\374]"
     "[^a-zA-Z\351\374]"
     "['-]"
     nil
     ("-d" "de_DE")
     nil
     iso-8859-1))
(add-to-list 'debian-enchant-only-dictionary-alist
  '("english_american"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[']"
     nil
     ("-d" "en_US")
     nil
     utf-8))
(add-to-list 'debian-enchant-only-dictionary-alist
  '("american"
     "[a-zA-Z]"
     "[^a-zA-Z]"
     "[']"
     nil
     ("-d" "en_US")
     nil
     utf-8))



;; No emacsen-aspell-equivs entries were found


;; An alist that will try to map hunspell locales to emacsen names

(setq debian-hunspell-equivs-alist '(
     ("de_DE" "german8")
     ("de_LU" "german8")
     ("en_US" "american")
     ("xx" "xx")
     ("xx_YY" "two")
))

;; Get default value for debian-hunspell-dictionary. Will be used if
;; spellchecker is hunspell and ispell-local-dictionary is not set.
;; We need to get it here, after debian-hunspell-equivs-alist is loaded

(setq debian-hunspell-dictionary (debian-ispell-get-hunspell-default))



;; An alist that will try to map enchant locales to emacsen names

(setq debian-enchant-equivs-alist '(
     ("de_DE" "german8")
     ("de_LU" "german8")
     ("en_US" "american")
     ("xx" "two")
     ("xx_YY" "two")
))

;; Get default value for debian-enchant-dictionary. Will be used if
;; spellchecker is enchant and ispell-local-dictionary is not set.
;; We need to get it here, after debian-enchant-equivs-alist is loaded

(setq debian-enchant-dictionary (debian-ispell-get-enchant-default))

