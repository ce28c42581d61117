# Text: TfidfVectorizer outside the model, sparse inputs; words cleaned by a function of the author; two models.

# %% [markdown]
# # SMS spam

# %%
import re
import string
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt

# %%
df = pd.read_csv('spam.csv', encoding='latin-1')
df.head()

# %%
df.drop(columns=['Unnamed: 2'], inplace=True)
df.rename(columns={'v1': 'target', 'v2': 'text'}, inplace=True)
df.sample(5)

# %%
df['target'] = df['target'].map({'ham': 0, 'spam': 1})

# %%
df.duplicated().sum()

# %%
df = df.drop_duplicates(keep='first')
df.shape

# %%
plt.pie(df['target'].value_counts(), labels=['ham', 'spam'], autopct="%0.2f")
plt.show()

# %%
df['num_characters'] = df['text'].apply(len)
df[['num_characters']].describe()

# %%
stopwords = {'i', 'me', 'my', 'you', 'your', 'the', 'a', 'an', 'and', 'is', 'are', 'to', 'of', 'in', 'on', 'at', 'for'}

def transform_text(text):
    text = text.lower()
    text = re.sub(r'https?://\S+', ' url ', text)
    text = re.sub(r'\d+', ' num ', text)
    text = ''.join(c for c in text if c not in string.punctuation)
    return ' '.join(w for w in text.split() if w not in stopwords)

# %%
transform_text('WINNER!! You have won a £900 prize, call http://x.example')

# %%
df['transformed_text'] = df['text'].apply(transform_text)

# %%
from collections import Counter
spam_corpus = []
for msg in df[df['target'] == 1]['transformed_text'].tolist():
    for word in msg.split():
        spam_corpus.append(word)
pd.DataFrame(Counter(spam_corpus).most_common(15))

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
tfidf = TfidfVectorizer(max_features=300)
X = tfidf.fit_transform(df['transformed_text'])
X.shape

# %%
y = df['target'].values

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=2)

# %%
from sklearn.naive_bayes import MultinomialNB
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score

mnb = MultinomialNB()
lrc = LogisticRegression(solver='liblinear', C=0.01)

# %%
mnb.fit(X_train, y_train)
y_pred1 = mnb.predict(X_test)
print(accuracy_score(y_test, y_pred1))
print(confusion_matrix(y_test, y_pred1))
print(precision_score(y_test, y_pred1))

# %%
lrc.fit(X_train, y_train)
y_pred2 = lrc.predict(X_test)
print(accuracy_score(y_test, y_pred2))
print(confusion_matrix(y_test, y_pred2))
