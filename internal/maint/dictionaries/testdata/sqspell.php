<?php
### This file is part of the dictionaries-common package.
### It has been automatically generated.
### DO NOT EDIT!
$SQSPELL_APP = array (
  'American (aspell)' => 'aspell -a -d en_US   ',
  'American (hunspell)' => 'hunspell -a -d en_US   ',
  'American (ispell)' => 'ispell -a -d en_US   ',
  'a \\ test (aspell)' => 'aspell -a -d xx   -C  -B',
  'a \\ test (hunspell)' => 'hunspell -a -d xx   -C  -B',
  'a \\ test (ispell)' => 'ispell -a -d xx   -C  -B'
);
